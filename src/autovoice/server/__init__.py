"""The service: HTTP over the engine.

One API process that never imports PyTorch, and worker processes that run the engine, meet in a
table of jobs (``jobs``) and a folder of files (``files``). ``supervisor`` starts and watches them.
"""
