"""`skfacies export`: write the network of a model as an ONNX file."""

from skfacies._cli.options import add_command, command_line, show_next

__all__ = ["add_parser", "run"]


def add_parser(commands):
    parser = add_command(
        commands,
        "export",
        help="write the network of a model as an ONNX file, for other programs",
        description="Write the network of a model as an ONNX file, which programs without Python "
        "run. It takes amplitudes (sections, traces, samples) as they are in SEISMIC and gives the "
        "probabilities of the facies; scaling, padding, dead traces and mutes are inside. Names of "
        "facies, their order and the sample interval are in its metadata. The order of units, "
        "averages along reflectors and picked contacts are not: the command says what is left out. "
        "The file is compared with MODEL before it is written. This needs "
        "pip install 'skfacies[onnx]'.",
        example="skfacies export model.safetensors -o facies.onnx",
    )
    parser.add_argument("model", metavar="MODEL", help="file written by skfacies fit")
    parser.add_argument("-o", "--out", required=True, metavar="ONNX", help=".onnx file to write")
    return parser


def run(arguments):
    from skfacies._cli.files import check_onnx_name, check_targets

    check_targets([arguments.out], {"MODEL": arguments.model})
    check_onnx_name(arguments.out)

    from skfacies.persistence import export_onnx, load_model
    from skfacies.persistence._onnx import describe_export

    model = load_model(arguments.model, device="cpu")
    export_onnx(model, arguments.out)
    metadata = describe_export(model)
    several = metadata["channels"] > 1
    shapes = {
        "amplitudes": "(sections, traces, samples"
        + (f", {metadata['channels']})" if several else ")"),
        "probabilities": f"(sections, traces, samples, {len(metadata['classes'])})",
    }
    for name, shape in shapes.items():
        print(f"{name}: float32 {shape}")
    print(f"facies: {', '.join(metadata['class_names'])}")
    for part in metadata["left_out"]:
        print(f"left out: {part}")
    print(f"wrote {arguments.out}")
    words = command_line("info", arguments.model, "--card", "card.md")
    show_next(arguments, words)
    return {"wrote": [arguments.out], **shapes, **metadata, "next": words}
