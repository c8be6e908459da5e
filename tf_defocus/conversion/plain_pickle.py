"""Reads pickles of plain data, by an interpreter of its own that can do nothing else.

`pickle.Unpickler` follows whatever a file says: it allocates a memo of any size, hashes
tuples that hold themselves two to the power of sixty times over, and calls. Here one
method stands for each operation that numbers, strings, lists, dicts and the tensors of
a checkpoint need; keys are strings or numbers, steps are counted, and a name stands for
what the caller gives for it.
"""

import struct

MAX_STEPS = 2**20  # a network's tensors and its optimizer's take some 1e5
MAX_DEPTH = 64  # of marks; also keeps tuples of tuples shallow
KEYS = (str, int, float, type(None))


class Buildable:
    """A value that takes a state after it is made, by `set_state(state)`."""


def load(data, start=0, names=None, find_storage=None):
    """Reads one pickle.

    Args:
        data: bytes-like.
        start: int, where the pickle begins.
        names: dict, "module.name" -> the function that stands for it.
        find_storage: function of a persistent id, a tuple of plain values.

    Returns:
        (value, end): what was pickled, and where the next byte lies.

    Raises:
        ValueError: in one line, for any other pickle.
    """
    machine = _Machine(data, start, names or {}, find_storage)
    try:
        return machine.run(), machine.position
    except (IndexError, KeyError, TypeError, OverflowError, struct.error) as error:
        raise ValueError(
            f"its description breaks off or errs at byte {machine.position}"
        ) from error


def _nothing(machine):
    """Protocol numbers and frames say nothing that is needed."""


class _Machine:
    def __init__(self, data, position, names, find_storage):
        self.data = data
        self.position = position
        self.names = names
        self.find_storage = find_storage
        self.stack, self.marks, self.memo = [], [], {}

    def run(self):
        for _ in range(MAX_STEPS):
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            if code not in _OPERATIONS:
                raise ValueError(
                    f"its description has the operation {code!r} at byte "
                    f"{self.position - 1}, which no tensor needs"
                )
            operation, skipped = _OPERATIONS[code]
            if skipped:
                self.take(skipped)
            operation(self)
        raise ValueError(f"its description takes more than {MAX_STEPS} steps")

    def take(self, count):
        """The next bytes."""
        piece = self.data[self.position : self.position + count]
        if len(piece) != count:
            raise ValueError("its description is cut off")
        self.position += count
        return bytes(piece)

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self):
        end = bytes(self.data[self.position : self.position + 256]).index(b"\n")
        return self.take(end + 1)[:-1].decode()

    def push(self, value):
        self.stack.append(value)

    def pop_mark(self):
        """Everything since the last mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def mark(self):
        if len(self.marks) >= MAX_DEPTH:
            raise ValueError("its description is nested too deeply")
        self.marks.append(self.stack)
        self.stack = []

    def push_tuple(self, count):
        items = self.stack[-count:]
        if len(items) != count:
            raise IndexError(count)
        self.stack[-count:] = [tuple(items)]

    def set_items(self, items):
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise TypeError("items of no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, KEYS):
                raise ValueError(f"a key is a {type(key).__name__}")
            target[key] = value

    def append_items(self, items):
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError("items of no list")
        target.extend(items)

    def push_name(self, module, name):
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a name is no string")
        full = f"{module}.{name}"
        if full not in self.names:
            raise ValueError(f"it names {full[:200]!r}, which no tensor needs")
        self.push(self.names[full])

    def call(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        # By identity: functions that a pickle could not have made itself.
        if not any(function is known for known in self.names.values()):
            raise ValueError("it calls what is no function")
        if not callable(function) or type(arguments) is not tuple:
            raise TypeError("a call without a function or arguments")
        self.push(function(*arguments))

    def build(self):
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Buildable):
            target.set_state(state)
        elif not isinstance(target, dict):  # whose attributes nothing reads
            raise TypeError("a state of what has none")

    def get(self, index):
        self.push(self.memo[index])

    def put(self, index):
        if index > MAX_STEPS:
            raise ValueError(f"its memo has the index {index}")
        self.memo[index] = self.stack[-1]

    def push_storage(self):
        pid = self.stack.pop()
        if self.find_storage is None or type(pid) is not tuple:
            raise TypeError("a reference to no storage")
        self.push(self.find_storage(pid))


# operation -> (what it does, bytes to skip before)
_OPERATIONS = {
    b"\x80": (_nothing, 1),
    b"\x95": (_nothing, 8),
    b"(": (_Machine.mark, 0),
    b"N": (lambda m: m.push(None), 0),
    b"\x88": (lambda m: m.push(True), 0),
    b"\x89": (lambda m: m.push(False), 0),
    b"K": (lambda m: m.push(m.number("<B")), 0),
    b"M": (lambda m: m.push(m.number("<H")), 0),
    b"J": (lambda m: m.push(m.number("<i")), 0),
    b"\x8a": (
        lambda m: m.push(int.from_bytes(m.take(m.number("<B")), "little", signed=True)),
        0,
    ),
    b"G": (lambda m: m.push(m.number(">d")), 0),
    b"X": (lambda m: m.push(m.take(m.number("<I")).decode("utf-8")), 0),
    b"\x8c": (lambda m: m.push(m.take(m.number("<B")).decode("utf-8")), 0),
    b"T": (lambda m: m.push(m.take(m.number("<I")).decode("latin-1")), 0),
    b"U": (lambda m: m.push(m.take(m.number("<B")).decode("latin-1")), 0),
    b"B": (lambda m: m.push(m.take(m.number("<I"))), 0),
    b"C": (lambda m: m.push(m.take(m.number("<B"))), 0),
    b"\x8e": (lambda m: m.push(m.take(m.number("<Q"))), 0),
    b"}": (lambda m: m.push({}), 0),
    b"]": (lambda m: m.push([]), 0),
    b")": (lambda m: m.push(()), 0),
    b"t": (lambda m: m.push(tuple(m.pop_mark())), 0),
    b"\x85": (lambda m: m.push_tuple(1), 0),
    b"\x86": (lambda m: m.push_tuple(2), 0),
    b"\x87": (lambda m: m.push_tuple(3), 0),
    b"a": (lambda m: m.append_items([m.stack.pop()]), 0),
    b"e": (lambda m: m.append_items(m.pop_mark()), 0),
    b"s": (lambda m: m.set_items([m.stack.pop(-2), m.stack.pop()]), 0),
    b"u": (lambda m: m.set_items(m.pop_mark()), 0),
    b"q": (lambda m: m.put(m.number("<B")), 0),
    b"r": (lambda m: m.put(m.number("<I")), 0),
    b"\x94": (lambda m: m.put(len(m.memo)), 0),
    b"h": (lambda m: m.get(m.number("<B")), 0),
    b"j": (lambda m: m.get(m.number("<I")), 0),
    b"c": (lambda m: m.push_name(m.line(), m.line()), 0),
    b"\x93": (lambda m: m.push_name(*(m.stack.pop(-2), m.stack.pop())), 0),
    b"R": (_Machine.call, 0),
    b"b": (_Machine.build, 0),
    b"Q": (_Machine.push_storage, 0),
}
