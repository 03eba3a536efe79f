"""The page: a consumer of a run's events, and the only code that imports gradio."""
