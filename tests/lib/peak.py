"""peak.py FILE CMD...: runs a command and writes its peak memory in KiB to FILE: its own, not that of
its children. Ends with the command's status."""

import os
import sys

pid = os.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w", encoding="ascii") as f:
    print(usage.ru_maxrss, file=f)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
