# Compiles sources, one after the other, until there are no more. Nothing of them is run.
#
# In: the lengths of a name and of a source, four bytes each, then the two. Out: one byte, "c" for
# compiled or "n" for not, the length of what follows in four bytes, then the .pyc file or the
# reason why there is none.
import sys

# With -c the first entry is the working folder, from which nothing is to be imported. -I would
# leave it out, but would also let Python not see PYTHONHASHSEED.
sys.path.pop(0)

import importlib.util
import marshal
import os

requests = sys.stdin.buffer
answers = os.fdopen(os.dup(1), "wb")
# Whatever else is printed is no answer.
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
