"""Regions and ARNs, which are subclasses of ``str``.

They are written in Python, since an extension module cannot derive from ``str`` with the stable ABI
of Python 3.10.
"""

from __future__ import annotations

from klayers._klayers import _arn, _region, _region_facts, _region_of_environment

# Importing typing would take longer than importing the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, final
else:

    def final(kind):
        return kind


class _Text(str):
    """A text that was validated when it was created. Immutable."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[type[_Text], tuple[str]]:
        # Unpickling validates the text again.
        return type(self), (str(self),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object, /) -> Any:
        from klayers._pydantic import text_schema

        return text_schema(cls)


class _Partition(str):
    """A partition, as in "aws". Other libraries call the method ``partition`` of a ``str``, which
    the attribute of this name hides; calling this value calls that method."""

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

    A region is a ``str``: equal to its code, and accepted wherever a text is.

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
        """The region in the environment variable AWS_REGION or AWS_DEFAULT_REGION, which a Lambda
        function has; None if neither is set."""
        return _region_of_environment()

    @property
    def code(self) -> str:
        """The code, as in "eu-west-1"."""
        return str(self)

    @property
    def name(self) -> str | None:
        """The name, as in "EU (Ireland)"; None if this release does not know the region."""
        return _region_facts(self)[0]

    @property
    def partition(self) -> _Partition:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The partition, as in "aws"."""
        return _Partition(_region_facts(self)[1], self)

    @property
    def opt_in(self) -> bool | None:
        """Whether an account has to enable the region first; None if this release does not know the
        region."""
        return _region_facts(self)[2]

    def to_dict(self) -> dict[str, Any]:
        """The attributes, by name."""
        name, partition, opt_in = _region_facts(self)
        return {"code": str(self), "name": name, "partition": partition, "opt_in": opt_in}


@final
class LayerVersionArn(_Text):
    """The ARN of one version of a layer, as the configuration of a Lambda function lists it.

    An ARN is a ``str``: equal to its text, and accepted wherever a text is, as by json and boto3. ARNs
    order by layer, then by version number: 9 comes before 10.

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
        """The region of the layer."""
        return Region(self.split(":")[3])

    @property
    def account(self) -> str:
        """The ID of the account that owns the layer."""
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

    # Compared with a plain text, an ARN orders as a text.

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
