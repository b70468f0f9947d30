"""Damaged and forged model files."""

import copy
import json
import random
import zlib
from pathlib import Path

import numpy as np
from _fault_worker import Fault, check_error, check_memory, measured
from safetensors import safe_open
from safetensors.numpy import load_file, save
from sklearn.pipeline import make_pipeline

from skfacies import AmplitudeScaler, CubeSegmenter, FaciesSegmenter, persistence
from skfacies.datasets import make_facies_cube
from skfacies.persistence import load_model, save_model

__all__ = ["KINDS", "make_files", "make_case", "mutate"]

NOT_VALUES = [None, True, -1, 0, 1, 0.5, 1e300, 2**31, 2**70, "", "x", "$", "cuda", "\0", "é" * 40]
NOT_VALUES += [[], [[]], [0] * 50, {}, {"$tuple": []}, {"$tuple": 3}, {"$array": {}}, {"$dict": 1}]
NOT_VALUES += [{"$weights": "model"}, {"$estimator": {}}, {"$scalar": {"dtype": "<f8"}}]
NOT_VALUES += [{"$float": "nan"}, {"$path": "/etc/passwd"}, {"$torch": []}, {"$optimizer": "SGD"}]
NOT_VALUES += [{"$array": {"dtype": "<U999", "values": ["a"] * 99}}, {"$array": {"tensor": "x"}}]
NOT_VALUES += [{"$array": {"dtype": "<f4", "values": [1, 2, 3]}}, {"a": 1, "$tuple": []}]
NOT_VALUES += ["resnet34", "vgg11", "tu-test_vit", "Linknet", "bfloat16", "float32"]


def make_models():
    """Small fitted models of each kind, and the sections that they predict."""
    survey = make_facies_cube((6, 32, 32), n_facies=3, random_state=0)
    tiny = FaciesSegmenter(
        encoder_name="tu-test_resnet",
        encoder_depth=3,
        decoder_channels=(8, 8, 8),
        max_epochs=1,
        precision="float32",
        device="cpu",
        random_state=0,
    )
    picked = np.where(np.arange(6)[:, None, None] % 2, -1, survey.target)
    names = np.array(["sand", "shale", "salt"])
    pipeline = make_pipeline(AmplitudeScaler(), copy.deepcopy(tiny).set_params(scaler=None))
    return {
        "sections": tiny.fit(survey.data, survey.target),
        "cubes": CubeSegmenter(copy.deepcopy(tiny), "both").fit(survey.data, picked),
        "pipeline": pipeline.fit(survey.data, names[survey.target]),
    }, survey.data


def make_files(folder):
    """Write the models, and what they predict."""
    models, sections = make_models()
    np.save(Path(folder, "amplitudes.npy"), sections)
    for name, model in models.items():
        save_model(model, Path(folder, f"{name}.safetensors"))
        np.save(Path(folder, f"{name}.npy"), model.predict(sections))


# --- mutations: of bytes, and of what the file says, with a right checksum --------------------


def _flip(data, rng, places):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        data[rng.choice(places)] ^= 1 << rng.randrange(8)
    return bytes(data)


def _flip_anywhere(data, rng):
    return _flip(data, rng, range(len(data)))


def _flip_header(data, rng):
    return _flip(data, rng, range(8 + int.from_bytes(data[:8], "little")))


def _truncate(data, rng):
    return data[: rng.randrange(len(data))]


def _swap_sections(data, rng):
    """Two stretches of the file change places; or one is left out, doubled, or zeros."""
    size = rng.choice([1, 8, 100, 1000, len(data) // 3])
    first, second = sorted(rng.randrange(len(data) - size) for _ in range(2))
    one, other = data[first : first + size], data[second : second + size]
    if rng.random() < 0.5 and second >= first + size:
        middle = data[first + size : second]
        return data[:first] + other + middle + one + data[second + size :]
    return data[:first] + rng.choice([b"", one + one, bytes(size)]) + data[first + size :]


def _header_length(data, rng):
    length = rng.choice([0, 1, len(data), 2**63, 2**64 - 1, rng.randrange(len(data))])
    return length.to_bytes(8, "little") + data[8:]


def _forge_tensor_table(data, rng):
    """Other types, shapes and offsets in the header of the file itself."""
    n_header = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n_header])
    name = rng.choice([key for key in header if key != "__metadata__"])
    entry, numbers = header[name], [0, 1, -1, 3, 2**31, 2**62, 2**64, 1e30, None, "x"]
    kind = rng.randrange(4)
    if kind == 0:
        entry["dtype"] = rng.choice(["F64", "F16", "BF16", "BOOL", "F8_E4M3", "Q", "", 7])
    elif kind == 1:
        entry["shape"] = [rng.choice(numbers) for _ in range(rng.randrange(5))]
    elif kind == 2:
        entry["data_offsets"] = [rng.choice(numbers) for _ in range(2)]
    else:
        header[rng.choice(list(header))] = rng.choice([{}, None, entry])
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + n_header :]


def _forge_document(data, rng, path):
    document, tensors = _parts(path)
    for _ in range(rng.choice([1, 1, 2, 5])):
        found = list(_places(document))[1:]
        *outer, last = rng.choice(found)
        part = _at(document, outer)
        choice = rng.random()
        if choice < 0.15:
            del part[last]
        elif choice < 0.4:  # what is elsewhere in the document
            part[last] = copy.deepcopy(_at(document, rng.choice(found)))
        elif choice < 0.5 and isinstance(part, dict):
            part[rng.choice(["$tuple", "$estimator", "x", "", "net_"])] = part.pop(last)
        elif isinstance(part[last], (int, float)) and choice < 0.7:
            part[last] = rng.choice([0, -part[last], part[last] * 1000, float(part[last]), 10**9])
        else:
            part[last] = copy.deepcopy(rng.choice(NOT_VALUES))
    return _packed(json.dumps(document), tensors)


def _forge_text(data, rng, path):
    """Letters of the JSON text are changed."""
    document, tensors = _parts(path)
    text = list(json.dumps(document))
    for _ in range(rng.choice([1, 1, 3])):
        text[rng.randrange(len(text))] = rng.choice('0123456789-+.eE"[]{}:,$ntf\\ xé\0')
    return _packed("".join(text), tensors)


def _forge_tensors(data, rng, path):
    document, tensors = _parts(path)
    one, other = rng.sample(sorted(tensors), 2)
    kind = rng.randrange(6)
    if kind == 0:
        tensors[one], tensors[other] = tensors[other], tensors[one]
    elif kind == 1:
        del tensors[one]
    elif kind == 2:
        tensors[f"{one}{rng.choice(['x', '.y', ''])}"] = tensors[other]
    elif kind == 3:
        tensors[one] = tensors[one].astype(rng.choice(["f2", "f8", "i8", "u1", "?"]))
    elif kind == 4:
        tensors[one] = np.resize(tensors[one], rng.choice([(0,), (), (1, 1), (7, 3), (999,)]))
    else:
        tensors[one] = np.full_like(tensors[one], rng.choice([3, 0, -1]))
    return _packed(json.dumps(document), tensors)


KINDS = {
    "bits flipped": _flip_anywhere,
    "bits of the header flipped": _flip_header,
    "truncated": _truncate,
    "sections swapped": _swap_sections,
    "length of the header": _header_length,
    "table of tensors": _forge_tensor_table,
    "document": _forge_document,
    "text of the document": _forge_text,
    "tensors": _forge_tensors,
}
#: Those whose files have a right checksum, so that their contents are looked at.
FORGED = (_forge_document, _forge_text, _forge_tensors)


def _parts(path):
    tensors = load_file(path)
    del tensors["crc32"]
    with safe_open(path, framework="np") as file:
        return json.loads(file.metadata()["skfacies"]), tensors


def _packed(text, tensors):
    """Bytes of a file with the checksum that docs/persistence.rst describes."""
    value = zlib.crc32(text.encode())
    for name, array in sorted(tensors.items()):
        value = zlib.crc32(f"{name} {array.dtype.name} {array.shape}".encode(), value)
        value = zlib.crc32(np.ascontiguousarray(array).tobytes(), value)
    checksum = {"crc32": np.array([value], np.uint32)}
    return save({**tensors, **checksum}, metadata={"skfacies": text})


def _places(value, path=()):
    """Paths to all values in a JSON document."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    for key, part in enumerate(value) if isinstance(value, list) else items:
        yield from _places(part, (*path, key))


def _at(document, path):
    for key in path:
        document = document[key]
    return document


def mutate(path, seed):
    """Bytes of a changed file, and the function that changed them."""
    rng = random.Random(seed)
    kinds = list(KINDS.values())
    # A quarter of the files get past the checksum.
    change = rng.choice(kinds[: -len(FORGED)] if seed % 4 else FORGED)
    data = Path(path).read_bytes()
    return change(data, rng, path) if change in FORGED else change(data, rng), change


# --- cases --------------------------------------------------------------------------------------


def make_case(folder):
    """The case of a seed: a mutated file is refused, or a model that predicts."""
    paths = sorted(Path(folder).glob("*.safetensors"))
    sections = np.load(Path(folder, "amplitudes.npy"))
    predicted = {path: np.load(path.with_suffix(".npy")) for path in paths}
    mutated = Path(folder, "mutated.model")

    def load():
        persistence.read_card(mutated)
        return load_model(mutated, device="cpu")

    def peak_of(path):
        mutated.write_bytes(path.read_bytes())
        load()  # imports, and what torch keeps
        return measured(load)

    usual = {path: peak_of(path) for path in paths}

    def case(seed):
        path = paths[seed % len(paths)]
        data, change = mutate(path, seed)
        mutated.write_bytes(data)
        error = model = None

        def try_to():
            nonlocal error, model
            try:
                model = load()
            except Exception as caught:
                error = caught

        peak = measured(try_to)
        check_memory(peak, len(data), usual[path], f"{change.__name__}, {error}")
        if error is not None:
            check_error(error, mutated)
            return "refused"
        try:
            labels = model.predict(sections)
        except (ValueError, TypeError) as caught:
            if change not in FORGED:
                raise Fault(f"loaded, but does not predict: {caught}") from caught
            return "does not predict"
        if change not in FORGED and not np.array_equal(labels, predicted[path]):
            raise Fault(f"loaded with other labels, {change.__name__}")
        return "loaded"

    return case
