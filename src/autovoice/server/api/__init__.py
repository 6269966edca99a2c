"""The API process: HTTP and WebSocket in front of the table of jobs; no PyTorch."""
