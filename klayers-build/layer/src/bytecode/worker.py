# Compiles sources, one after the other, until the input ends. Their code is not run.
#
# Request: the lengths of the file name and the source, four bytes each, then the name and the
# source. Answer: one byte, "c" for compiled or "n" for not compiled, the length of the rest in four
# bytes, then the .pyc file or the reason why it could not be compiled.
import sys

# With -c the first entry is the working folder, from which nothing must be imported. -I would omit
# that entry, but would also make Python ignore PYTHONHASHSEED.
sys.path.pop(0)

import importlib.util
import marshal
import os

requests = sys.stdin.buffer
answers = os.fdopen(os.dup(1), "wb")
# Other output must not be mistaken for an answer.
os.dup2(2, 1)

UNCHECKED_HASH = (1).to_bytes(4, "little")


def compiled(name, source):
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    header = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


while True:
    lengths = requests.read(8)
    if len(lengths) < 8:
        break
    name = requests.read(int.from_bytes(lengths[:4], "big")).decode()
    source = requests.read(int.from_bytes(lengths[4:], "big"))
    try:
        kind, content = b"c", compiled(name, source)
    except Exception as error:
        reason = "%s: %s" % (type(error).__name__, error)
        kind, content = b"n", reason[:1000].encode(errors="backslashreplace")
    answers.write(kind + len(content).to_bytes(4, "big") + content)
    answers.flush()
