"""The parameter parser of ROS itself (librcl_yaml_param_parser), called in this process: what it accepts and reads."""

import ctypes
import sys
from pathlib import Path

_KINDS = ("bool", "integer", "double", "string", "bytes", "bools", "integers", "doubles", "strings")


class _Error(ctypes.Structure):
    _fields_ = (("text", ctypes.c_char * 1024),)


class _Array(ctypes.Structure):
    _fields_ = (("values", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Strings(ctypes.Structure):
    _fields_ = (("size", ctypes.c_size_t), ("data", ctypes.POINTER(ctypes.c_char_p)))


class _Variant(ctypes.Structure):
    _fields_ = tuple((kind, ctypes.c_void_p) for kind in _KINDS)


class _Node(ctypes.Structure):
    _fields_ = (
        ("names", ctypes.POINTER(ctypes.c_char_p)),
        ("values", ctypes.POINTER(_Variant)),
        ("count", ctypes.c_size_t),
        ("capacity", ctypes.c_size_t),
    )


class _Allocator(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("allocate", "free", "grow", "zero", "state"))


class _Params(ctypes.Structure):
    _fields_ = (
        ("names", ctypes.POINTER(ctypes.c_char_p)),
        ("nodes", ctypes.POINTER(_Node)),
        ("count", ctypes.c_size_t),
        ("capacity", ctypes.c_size_t),
        ("allocator", _Allocator),
    )


def _libraries():
    folder = Path(sys.prefix) / "lib"
    utilities = ctypes.CDLL(str(folder / "librcutils.so"), mode=ctypes.RTLD_GLOBAL)
    parser = ctypes.CDLL(str(folder / "librcl_yaml_param_parser.so"))
    utilities.rcutils_get_default_allocator.restype = _Allocator
    parser.rcl_yaml_node_struct_init.restype = ctypes.POINTER(_Params)
    parser.rcl_yaml_node_struct_init.argtypes = (_Allocator,)
    parser.rcl_parse_yaml_file.restype = parser.rcl_parse_yaml_value.restype = ctypes.c_bool
    parser.rcl_yaml_node_struct_fini.restype = None
    utilities.rcutils_get_error_string.restype = _Error
    return utilities, parser


def installed():
    """Whether the parser is a library of this environment."""
    return (Path(sys.prefix) / "lib" / "librcl_yaml_param_parser.so").is_file()


def read_file(path):
    """Sections as (key, {name: value}) in the parser's order; a text, the reason, if it refuses the file."""
    return _read(lambda parser, params: parser.rcl_parse_yaml_file(str(path).encode(), params))


def read_value(text):
    """The value of an option ``-p name:=text``; () if it is accepted without one, None if it is refused."""
    found = _read(lambda parser, params: parser.rcl_parse_yaml_value(b"n", b"p", text.encode(), params))
    return None if isinstance(found, str) else found[0][1]["p"]


def _read(parse):
    utilities, parser = _libraries()
    params = parser.rcl_yaml_node_struct_init(utilities.rcutils_get_default_allocator())
    try:
        accepted = parse(parser, params)
        if not accepted:
            return utilities.rcutils_get_error_string().text.decode(errors="replace") or "refused"
        found = params.contents
        return [_section(found.names[i], found.nodes[i]) for i in range(found.count)]
    finally:
        utilities.rcutils_reset_error()
        parser.rcl_yaml_node_struct_fini(params)


def _section(key, node):
    return key.decode(), {node.names[j].decode(): _value(node.values[j]) for j in range(node.count)}


def _value(variant):
    scalars = {"bool": ctypes.c_bool, "integer": ctypes.c_int64, "double": ctypes.c_double}
    for kind, place in ((kind, getattr(variant, kind)) for kind in reversed(_KINDS)):
        if not place:
            continue
        if kind in scalars:
            return scalars[kind].from_address(place).value
        if kind == "string":
            return ctypes.string_at(place).decode()
        if kind == "strings":
            found = _Strings.from_address(place)
            return [found.data[i].decode() for i in range(found.size)]
        array = _Array.from_address(place)
        return list((scalars[kind[:-1]] * array.size).from_address(array.values))
    return ()
