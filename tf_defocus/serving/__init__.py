"""A server for restored photographs: HTTP and gRPC, the protocols v1 and v2 of KServe.

`python -m tf_defocus.serving --preset NAME` starts it; extra `[serving]`. A request
goes: bounded (`bounded_bodies`), read (`v1`, `v2`, `grpc_service`), checked
and decoded (`photographs`), computed with others of its size (`batcher`), answered.
"""

from tf_defocus.serving.limits import Limits
from tf_defocus.serving.refusals import Refusal

__all__ = ["Limits", "Refusal"]
