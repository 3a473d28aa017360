"""What is known to be computed row by row, whatever rows are beside it: allow lists.

Names are those of Polars' trees. A test computes an example of each on a table and on its parts.
"""

from __future__ import annotations

from deeprc.frames.lazy.trees import Tree


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


ROWWISE = _names(
    """
    Abs Negate Floor Ceil Sign Round RoundSF Clip FillNull Coalesce AsStruct Log Log1p Exp Replace ReplaceStrict
    SumHorizontal MeanHorizontal MinHorizontal MaxHorizontal
    Pow.Generic Pow.Sqrt Pow.Cbrt
    Trigonometry.Sin Trigonometry.Cos Trigonometry.Tan Trigonometry.ArcSin Trigonometry.ArcCos Trigonometry.ArcTan
    Boolean.Not Boolean.IsNull Boolean.IsNotNull Boolean.IsNan Boolean.IsNotNan Boolean.IsFinite Boolean.IsInfinite
    Boolean.IsBetween Boolean.IsIn Boolean.AllHorizontal Boolean.AnyHorizontal
    StringExpr.Contains StringExpr.StartsWith StringExpr.EndsWith StringExpr.LenBytes StringExpr.LenChars
    StringExpr.Lowercase StringExpr.Uppercase StringExpr.Slice StringExpr.Head StringExpr.Tail StringExpr.Extract
    StringExpr.Replace StringExpr.StripChars StringExpr.StripCharsStart StringExpr.StripCharsEnd
    StringExpr.StripPrefix StringExpr.StripSuffix StringExpr.Split StringExpr.ZFill StringExpr.ConcatHorizontal
    StringExpr.Strptime StringExpr.ToInteger StringExpr.PadStart StringExpr.PadEnd StringExpr.CountMatches
    TemporalExpr.Year TemporalExpr.IsoYear TemporalExpr.Quarter TemporalExpr.Month TemporalExpr.Week
    TemporalExpr.WeekDay TemporalExpr.Day TemporalExpr.OrdinalDay TemporalExpr.Hour TemporalExpr.Minute
    TemporalExpr.Second TemporalExpr.Date TemporalExpr.Time TemporalExpr.Truncate TemporalExpr.OffsetBy
    TemporalExpr.MonthStart TemporalExpr.MonthEnd TemporalExpr.TimeStamp TemporalExpr.TotalDays
    TemporalExpr.TotalHours TemporalExpr.TotalMinutes TemporalExpr.TotalSeconds TemporalExpr.ToString
    ListExpr.Length ListExpr.Sum ListExpr.Mean ListExpr.Min ListExpr.Max ListExpr.Get ListExpr.Contains
    StructExpr.FieldByName
    """
)
# Their inputs may be a selection of columns, which stands for as many inputs.
HORIZONTAL = _names(
    """
    AsStruct Coalesce SumHorizontal MeanHorizontal MinHorizontal MaxHorizontal Boolean.AllHorizontal
    Boolean.AnyHorizontal StringExpr.ConcatHorizontal
    """
)
OPERATORS = _names(
    """
    Eq EqValidity NotEq NotEqValidity Lt LtEq Gt GtEq Plus Minus Multiply RustDivide TrueDivide FloorDivide Modulus
    And Or Xor LogicalAnd LogicalOr
    """
)


def function_name(function: Tree) -> str:
    """The name of a function in a tree, with its family: `Boolean.IsIn`, `Round`."""
    if isinstance(function, str):
        return function
    family, inner = next(iter(function.items()))
    if family.endswith("Expr") or family in ("Boolean", "Pow", "Trigonometry"):
        return f"{family}.{inner if isinstance(inner, str) else next(iter(inner))}"
    return family


def is_rowwise(function: Tree) -> bool:
    """Whether a function's value in a row depends on this row alone."""
    match function:
        case {"StringExpr": {"Strptime": [_, {"format": None}]}}:
            return False  # the format is guessed from the first value
    return function_name(function) in ROWWISE
