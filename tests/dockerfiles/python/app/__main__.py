import sys

from app import server

if "--check" in sys.argv:
    sys.exit(server.check())
server.serve()
