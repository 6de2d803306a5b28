"""All that an adapter may know of the gateway."""

from taulu.spi.adapter import (
    Adapter,
    Environment,
    Finding,
)
from taulu.spi.capabilities import (
    FEATURES_BY_KIND,
    Capabilities,
    Feature,
)
from taulu.spi.conditions import (
    check_condition,
    condition_failed,
)
from taulu.spi.context import (
    Context,
    Handler,
)
from taulu.spi.counting import (
    after_change,
    bound_exceeded,
    empty_hold,
    hold_exists,
    hold_not_found,
    limits,
    not_held,
)
from taulu.spi.registry import (
    GROUP,
    adapter_names,
    check_options,
    load_adapter,
    wrong_option,
)
from taulu.spi.requirements import (
    check_table,
    partition_of,
    partitions_of,
)
from taulu.spi.shared_cache import (
    Answer,
    Ask,
    Busy,
    Carrier,
    Fill,
    Hit,
    Leased,
    SharedCache,
    SharedTier,
)
from taulu.spi.stored import (
    Shape,
    check_fits,
    merged_shape,
    parse_shape,
    shape_of,
)

__all__ = [
    "FEATURES_BY_KIND",
    "GROUP",
    "Adapter",
    "Answer",
    "Ask",
    "Busy",
    "Capabilities",
    "Carrier",
    "Context",
    "Environment",
    "Feature",
    "Fill",
    "Finding",
    "Handler",
    "Hit",
    "Leased",
    "Shape",
    "SharedCache",
    "SharedTier",
    "adapter_names",
    "after_change",
    "bound_exceeded",
    "check_condition",
    "check_fits",
    "check_options",
    "check_table",
    "condition_failed",
    "empty_hold",
    "hold_exists",
    "hold_not_found",
    "limits",
    "load_adapter",
    "merged_shape",
    "not_held",
    "parse_shape",
    "partition_of",
    "partitions_of",
    "shape_of",
    "wrong_option",
]
