"""The least versions of the two runtimes that ran files like this one.

`tests/export/test_old_runtimes.py` runs files of many models, pieces and layers, in every
quantization, with the oldest wheels that there are, and holds this table to what it finds.
"""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

LEAST = {"litert": "1.0.0", "tflite": "2.13.0"}
# A transposed convolution with weights of 8 bits and float32 sums, as in `dynamic_int8`.
LEAST_HYBRID = {"litert": "1.0.0", "tflite": "2.17.1"}
# The highest version of each operator that both ran.
_RAN = {
    1: "ABS ARG_MAX BITWISE_XOR COS CUMSUM DIV ELU EQUAL EXP GATHER GREATER GREATER_EQUAL"
    " HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_OR MATRIX_SET_DIAG"
    " MAXIMUM MINIMUM NEG ONE_HOT PACK PRELU QUANTIZE REDUCE_ANY RESHAPE REVERSE_V2"
    " RIGHT_SHIFT ROUND SELECT SELECT_V2 SIGN SIN SLICE SPLIT SPLIT_V SQRT SQUARE SUB SUM"
    " UNPACK WHILE ZEROS_LIKE",
    2: "ADD AVERAGE_POOL_2D BATCH_MATMUL CAST CONCATENATION GELU LOGISTIC MAX_POOL_2D MEAN MUL PAD"
    " REDUCE_MAX RELU RSQRT SOFTMAX SQUARED_DIFFERENCE STRIDED_SLICE TANH TRANSPOSE TRANSPOSE_CONV",
    3: "DEPTHWISE_CONV_2D DEQUANTIZE RESIZE_BILINEAR TILE",
    5: "CONV_2D",
    9: "FULLY_CONNECTED",
}
OPERATORS = {name: version for version, names in _RAN.items() for name in names.split()}
_NAMES = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}


def of_file(model: bytes) -> dict[str, str | None]:
    """Returns the least versions that ran all operators of a file, for the sidecar.

    Args:
        model: the bytes of the file.

    Returns:
        `{"litert": version of ai-edge-litert, "tflite": version of TensorFlow Lite}`. None for
        both if the file has an operator, or a version of one, that was not tried.
    """
    used = operators_of(model)
    if any(version > OPERATORS.get(name, 0) for name, version in used.items()):
        return dict.fromkeys(LEAST)
    hybrid = "TRANSPOSE_CONV" in used and _has_hybrid(schema.ModelT.InitFromPackedBuf(model, 0))
    return dict(LEAST_HYBRID if hybrid else LEAST)


def operators_of(model: bytes) -> dict[str, int]:
    """Returns the highest version of each operator in a file, by its name.

    Those that are no builtins are named as `CUSTOM name`.

    Args:
        model: the bytes of the file.
    """
    found: dict[str, int] = {}
    read = schema.Model.GetRootAs(model, 0)  # what is asked for alone
    for i in range(read.OperatorCodesLength()):
        code = read.OperatorCodes(i)
        builtin, custom = max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), code.CustomCode()
        name = f"CUSTOM {custom.decode()}" if custom else _NAMES[builtin]
        found[name] = max(found.get(name, 0), code.Version())
    return found


def _has_hybrid(model):
    """Returns whether a transposed convolution has float32 inputs and weights of 8 bits."""
    transposed = schema.BuiltinOperator.TRANSPOSE_CONV
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            if max(code.builtinCode, code.deprecatedBuiltinCode) == transposed:
                types = [graph.tensors[i].type for i in np.asarray(operator.inputs)[1:3]]
                if types == [schema.TensorType.INT8, schema.TensorType.FLOAT32]:
                    return True
    return False
