"""What makes a transformers model fast, by replacing parts of it while it runs.

The model's own code, modules and weights stay; ``installed`` puts the parts in and takes them out again.

- ``layers``: on a CPU, embeddings and layers by compiled code, and ``adamw``, which moves their weights.
- ``packed``: on a GPU, real tokens alone, through the layers of ``packed_encoder`` or ``packed_decoder``.

Where neither is possible, on a CPU:

- ``dropout``: random numbers eight to an instruction instead of one by one.
- ``attention``: matrix products and a softmax over rows, block by block where texts are long.
- ``stream``: hidden states between the layers in bf16, so that no layer casts them.

Each has a plain reference in torch that its tests compare it with.
"""

from luthier.models.kernels.installing import Installed, installed
from luthier.models.kernels.layers import NativeLayers

__all__ = ["Installed", "NativeLayers", "installed"]
