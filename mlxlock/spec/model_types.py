"""Which `model_type` of a `config.json` is which kind of model: facts about the MLX libraries, as data.

Read off the model folders and alias tables of mlx-audio 0.6.2, mlx-lm 0.32.2 and mlx-vlm 0.7.10; a test
compares it with them where they are installed. A type that several libraries know stands under the one that
should run it: what mlx-lm knows is `text` (also `glm` and `mimo`, which mlx-audio takes for speech), what
only mlx-vlm knows and answers a prompt is `vision`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlxlock.spec.manifest import Kind


_NAMES: Final[Mapping[Kind, str]] = {
    "tts": """
        arktts audiodit bailingmm bark breeze breeze-tts breeze_tts chatterbox chatterbox_turbo confucius4
        csm dia dramabox dramabox-tts echo_tts fish_drama3 fish_qwen3_omni gradium_phonon_tts higgs_audio
        higgs_audio_v3 higgs_multimodal_qwen3 indextts irodori_tts kitten kitten_tts kokoro kugelaudio
        lingv3_tts longcat longcat_audiodit marvis melotts moss_tts moss_tts_delay moss_tts_local
        moss_tts_nano omnivoice outetts pocket_tts qwen3_tts rumik_oss sesame soprano spark tada
        vibevoice_streaming voxcpm voxcpm1.5 voxcpm2 voxtral_tts zonos2
    """,
    "stt": """
        canary cohere_asr fireredasr2 fun_asr_nano glmasr granite_speech granite_speech5_ctc
        granite_speech_nar granite_speech_plus higgs_audio_3 lasr_ctc mega_asr mimo_v2_asr ming_v3_asr mms
        moonshine moss_music moss_transcribe_diarize nemo nemotron_asr parakeet parakeet_tdt
        parakeet_tdt_five_value phonon phonon2 qwen2_audio qwen3_asr qwen3_forced_aligner sensevoice
        vibevoice vibevoice_asr voxtral voxtral_realtime wav2vec whisper
    """,
    "sts": """
        bailing_moe_v3_audio deepfilter deepfilternet deepfilternet3 dialogue_sidon dialoguesidon lfm2.5
        lfm2_audio lfm_audio mel_roformer mimo_audio ming_v3_audio moshi moshiko mossformer2 mossformer2_se
        nemotron_voicechat sam_audio samaudio
    """,
    "codec": """
        bigvgan dacvae descript encodec fish_s1_dac mimi mimo_audio_tokenizer moss_audio_tokenizer s3 snac
        stepaudio2 vocos
    """,
    "lid": """
        ecapa-tdnn ecapa_tdnn wav2vec2
    """,
    "music": """
        minimax_music3
    """,
    "vad": """
        fsmn nemotron_diarization silero silero-vad silero_vad smart_turn sortformer
    """,
    "text": """
        afm7 afmoe apertus baichuan_m1 bailing_hybrid bailing_moe bailing_moe_linear bailing_moe_v3 bitnet
        cohere cohere2 dbrx deepseek deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v41 deepseek_v41_text
        dots1 ernie4_5 ernie4_5_moe exaone exaone4 exaone_moe falcon_h1 falcon_mamba gear gemma gemma2
        gemma3 gemma3_text gemma3n gemma4 gemma4_text gemma4_unified glm glm4 glm4_moe glm4_moe_lite
        glm_moe_dsa gpt2 gpt_bigcode gpt_neox gpt_oss gptj granite granitemoe granitemoehybrid helium
        hunyuan hunyuan_v1_dense internlm2 internlm3 iquestcoder iquestloopcoder jamba joyai_llm_flash
        kimi_k2 kimi_k25 kimi_k3 kimi_linear kimi_vl klear laguna lfm2 lfm2-vl lfm2_moe lille-130m llama
        llama4 llama4_text llava longcat_flash longcat_flash_ngram mamba mamba2 mellum mimo mimo_v2_flash
        minicpm minicpm3 minimax minimax_m2 minimax_m3_vl ministral3 mistral mistral3 mistral4 mixtral
        muse_glimmer muse_spark nanbeige nanochat nemotron nemotron-nas nemotron_h olmo olmo2 olmo3
        olmo_hybrid olmoe openelm phi phi-msft phi3 phi3small phimoe phixtral pixtral plamo plamo2 plamo3
        prism_hadamard_qwen35 qwen qwen2 qwen2_5_vl qwen2_moe qwen2_vl qwen3 qwen3_5 qwen3_5_moe qwen3_moe
        qwen3_next qwen3_vl qwen3_vl_moe recurrent_gemma rwkv7 seed_oss smollm3 solar_open spark2_5 stablelm
        starcoder2 step3p5 talkie telechat3 xverse youtu_llm
    """,
    "vision": """
        aya_vision bunny-llama cohere2_moe cohere2_vision cohere2moe cohere_compass deepseek_v4
        deepseek_vl_v2 deepseekocr deepseekocr_2 diffusion_gemma dots_ocr ernie4_5_moe_vl falcon-perception
        falcon_ocr falcon_perception fastvlm flint florence2 glm4v glm4v_moe glm5_next glm_ocr got
        granite-vision granite4-vision granite4_vision granite_vision hrm_text hunyuan_vl hy_v4 idefics2
        idefics3 indic_ocr inkling inkling_mm_model internvl internvl_chat jina_vlm jvlm k2_horizon
        kolibri1 lfm2_vl lille_130m limite llada2_moe llava-qwen2 llava_bunny llava_next llava_onevision
        llava_qwen2 llmjpvl locateanything longcat_flash_sparse mage_vl mimo_v2 minicpmo minicpmv4_6
        minicpmv4_7 minimax_m3 mistral_large3 mllama molmo molmo2 molmo_point moondream1 moondream2
        moondream3 multi_modality muse_spark_open nemotron_h_nano_omni nemotron_h_omni nemotron_h_puzzle
        nemotron_labs_diffusion nemotron_nas nemotron_parse nemotronh_nano_omni_reasoning_v3 paddleocr_vl
        paligemma phi3_v phi4-siglip phi4_siglip phi4mm plamo2vl qwen3_5_moe_text qwen3_5_text
        qwen3_omni_moe qwen4_exp smolvlm step3p7 unlimited-ocr unlimited_ocr xing4_0 youtu_vl z1t zaya1_vl
    """,
    "embedding": """
        bert colidefics3 colqwen2_5 embedding_gemma2 gemma3_embedding lfm2_colbert lfm2_embedding
        lfm2_encoder llama_bidirec llama_nemotron_vl_embedding ministral3_embedding modernbert
        qwen3_embedding qwen3_vl_embedding siglip xlm_roberta
    """,
}

_OTHERS: Final = """
    bonsai clef d1 d1_omni decider2 dinov2 dinov2_with_registers ernie_image flux2 flux3 gliner2_5
    ideogram4 laya llada_image mage_flow ming_image minimax_h3 moge3 moss_image openai_privacy_filter
    pp_doclayout_v3 qwen_image rf-detr rfdetr rt_detr_v2 sam3 sam3.1_video sam3_1 sam3_video sam3d_body
    sam3d_objects sapiens2 video_depth_anything yolo11 z_image
"""

KIND_OF_TYPE: Final[Mapping[str, Kind]] = {
    model_type: kind for kind, names in _NAMES.items() for model_type in names.split()
}
"""The kind by `model_type`, lower case. Voice kinds come first, as mlx-audio prefers them."""

OF_NO_KIND: Final = frozenset(_OTHERS.split())
"""Types that mlx-vlm knows and that answer no prompt: they draw, detect, segment, measure or classify."""
