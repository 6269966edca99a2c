"""Live sessions in a process of their own: frames over a local socket, host, client."""
