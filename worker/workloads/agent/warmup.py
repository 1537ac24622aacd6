"""The warm-up prompt: loads the model; shares no prefix with the measured prompts."""

WARMUP_PROMPT = "Count from one to five in words:"
