"""The web application: a page and its REST API on this machine.

The server itself opens no image and computes no road: child processes with limits do (``worker``), and hand back files
that they wrote. FastAPI, uvicorn and rio-tiler belong to this room.
"""
