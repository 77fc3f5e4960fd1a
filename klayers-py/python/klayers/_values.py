"""Values that are texts: they go wherever a ``str`` does.

They are written in Python, since an extension module cannot derive from ``str`` with the stable ABI
of Python 3.10.
"""

from __future__ import annotations

from klayers._klayers import _arn, _region, _region_facts, _region_of_environment

# Imported for types alone, it would cost more than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, final
else:

    def final(kind):
        return kind


class _Text(str):
    """A text that was checked when it was made. It cannot change, and has no further attributes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[type[_Text], tuple[str]]:
        # Pickle then checks the text again.
        return type(self), (str(self),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object, /) -> Any:
        from klayers._pydantic import text_schema

        return text_schema(cls)


class _Partition(str):
    """A partition, as in "aws". Every text has a method of the name ``partition``, which other
    libraries call: a call of this value is a call of that method."""

    __slots__ = ("_whole",)
    _whole: str

    def __new__(cls, name: str, whole: str) -> _Partition:
        made = str.__new__(cls, name)
        made._whole = str(whole)
        return made

    def __call__(self, sep: str, /) -> tuple[str, str, str]:
        return self._whole.partition(sep)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


@final
class Region(_Text):
    """An AWS region, by its code, as in Region("eu-west-1").

    It is a text: equal to its code, and taken by everything that takes one.

        >>> klayers.Region("ap-southeast-3").name
        'Asia Pacific (Jakarta)'
        >>> klayers.Region("eu-west-1") == "eu-west-1"
        True
    """

    __slots__ = ()
    __module__ = "klayers"

    def __new__(cls, code: str) -> Region:
        return str.__new__(cls, _region(code))

    @classmethod
    def from_environment(cls) -> Region | None:
        """The region that the environment names in AWS_REGION or AWS_DEFAULT_REGION, as it does in
        a function; None if it names none."""
        return _region_of_environment()

    @property
    def code(self) -> str:
        """The code, as in "eu-west-1"."""
        return str(self)

    @property
    def name(self) -> str | None:
        """The name, as in "EU (Ireland)"; None for a region that this release does not know."""
        return _region_facts(self)[0]

    @property
    def partition(self) -> _Partition:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The partition, as in "aws"."""
        return _Partition(_region_facts(self)[1], self)

    @property
    def opt_in(self) -> bool | None:
        """Whether an account has to enable the region first; None for a region that this release
        does not know."""
        return _region_facts(self)[2]

    def to_dict(self) -> dict[str, Any]:
        """The attributes, by name."""
        name, partition, opt_in = _region_facts(self)
        return {"code": str(self), "name": name, "partition": partition, "opt_in": opt_in}


@final
class LayerVersionArn(_Text):
    """The ARN of one version of a layer, which is what a Lambda function is given.

    It is a text: equal to the ARN, and taken by everything that takes one, as json and boto3. Two of
    them order by the number of the version, and not by its digits.

        >>> arn = "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p313-requests:4"
        >>> klayers.LayerVersionArn(arn).version
        4
        >>> klayers.LayerVersionArn(arn) == arn
        True
    """

    __slots__ = ()
    __module__ = "klayers"

    def __new__(cls, arn: str) -> LayerVersionArn:
        return str.__new__(cls, _arn(arn))

    @property
    def layer_arn(self) -> str:
        """The ARN of the layer, without the version."""
        return self.rpartition(":")[0]

    @property
    def layer_name(self) -> str:
        """The name of the layer, as in "Klayers-p313-requests"."""
        return self.split(":")[6]

    @property
    def version(self) -> int:
        """The version number of the layer."""
        return int(self.split(":")[7])

    @property
    def region(self) -> Region:
        """The region that the layer is in."""
        return Region(self.split(":")[3])

    @property
    def account(self) -> str:
        """The number of the account that owns the layer."""
        return self.split(":")[4]

    @property
    def partition(self) -> _Partition:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The partition, as in "aws"."""
        return _Partition(self.split(":")[1], self)

    def to_dict(self) -> dict[str, Any]:
        """The attributes, by name."""
        return {
            "layer_arn": self.layer_arn,
            "layer_name": self.layer_name,
            "version": self.version,
            "region": str(self.region),
            "account": self.account,
            "partition": str(self.partition),
        }

    @property
    def _order(self) -> tuple[list[str], int]:
        return self.split(":")[:7], self.version

    # Beside a text of no class, the order is that of texts.

    def __lt__(self, other: str, /) -> bool:
        if isinstance(other, LayerVersionArn):
            return self._order < other._order
        return str.__lt__(self, other)

    def __le__(self, other: str, /) -> bool:
        if isinstance(other, LayerVersionArn):
            return self._order <= other._order
        return str.__le__(self, other)

    def __gt__(self, other: str, /) -> bool:
        if isinstance(other, LayerVersionArn):
            return self._order > other._order
        return str.__gt__(self, other)

    def __ge__(self, other: str, /) -> bool:
        if isinstance(other, LayerVersionArn):
            return self._order >= other._order
        return str.__ge__(self, other)
