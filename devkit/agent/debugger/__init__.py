"""The debugger of a paused task: its prompt, its port and stream, what others see of it."""
