"""Queries 12 to 22; see `queries_1`."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from deeprc.bench.pdsh.queries_1 import DISC_PRICE, Tables, col


def q12(t: Tables) -> Any:
    """Shipping modes and order priority."""
    high = col("o_orderpriority").is_in(["1-URGENT", "2-HIGH"])
    return (
        t["lineitem"]
        .filter(
            col("l_shipmode").is_in(["MAIL", "SHIP"]),
            col("l_commitdate") < col("l_receiptdate"),
            col("l_shipdate") < col("l_commitdate"),
            col("l_receiptdate") >= date(1994, 1, 1),
            col("l_receiptdate") < date(1995, 1, 1),
        )
        .join(t["orders"], left_on="l_orderkey", right_on="o_orderkey")
        .group_by("l_shipmode")
        .agg(high.sum().alias("high_line_count"), (~high).sum().alias("low_line_count"))
        .sort("l_shipmode")
    )


def q13(t: Tables) -> Any:
    """Customer distribution."""
    orders = t["orders"].filter(~col("o_comment").str.contains("special.*requests"))
    return (
        t["customer"]
        .join(orders, left_on="c_custkey", right_on="o_custkey", how="left")
        .group_by("c_custkey")
        .agg(col("o_orderkey").count().alias("c_count"))
        .group_by("c_count")
        .agg(pl.len().alias("custdist"))
        .sort("custdist", "c_count", descending=True)
    )


def q14(t: Tables) -> Any:
    """Promotion effect."""
    promo = pl.when(col("p_type").str.starts_with("PROMO")).then(DISC_PRICE).otherwise(0.0)
    return (
        t["lineitem"]
        .filter(col("l_shipdate") >= date(1995, 9, 1), col("l_shipdate") < date(1995, 10, 1))
        .join(t["part"], left_on="l_partkey", right_on="p_partkey")
        .select((100.0 * promo.sum() / DISC_PRICE.sum()).alias("promo_revenue"))
    )


def q15(t: Tables) -> Any:
    """Top supplier."""
    revenue = (
        t["lineitem"]
        .filter(col("l_shipdate") >= date(1996, 1, 1), col("l_shipdate") < date(1996, 4, 1))
        .group_by(col("l_suppkey").alias("supplier_no"))
        .agg(DISC_PRICE.sum().alias("total_revenue"))
    )
    return (
        revenue.filter(col("total_revenue") == col("total_revenue").max())
        .join(t["supplier"], left_on="supplier_no", right_on="s_suppkey")
        .select(col("supplier_no").alias("s_suppkey"), "s_name", "s_address", "s_phone", "total_revenue")
        .sort("s_suppkey")
    )


def q16(t: Tables) -> Any:
    """Parts/supplier relationship."""
    complaints = t["supplier"].filter(col("s_comment").str.contains("Customer.*Complaints"))
    parts = t["part"].filter(
        col("p_brand") != "Brand#45",
        ~col("p_type").str.starts_with("MEDIUM POLISHED"),
        col("p_size").is_in([49, 14, 23, 45, 19, 3, 36, 9]),
    )
    return (
        t["partsupp"]
        .join(complaints, left_on="ps_suppkey", right_on="s_suppkey", how="anti")
        .join(parts, left_on="ps_partkey", right_on="p_partkey")
        .group_by("p_brand", "p_type", "p_size")
        .agg(col("ps_suppkey").n_unique().alias("supplier_cnt"))
        .sort("supplier_cnt", "p_brand", "p_type", "p_size", descending=[True, False, False, False])
    )


def q17(t: Tables) -> Any:
    """Small-quantity-order revenue."""
    parts = t["part"].filter(col("p_brand") == "Brand#23", col("p_container") == "MED BOX").select("p_partkey")
    lines = parts.join(t["lineitem"], left_on="p_partkey", right_on="l_partkey")
    average = lines.group_by("p_partkey").agg((0.2 * col("l_quantity").mean()).alias("few"))
    return (
        lines.join(average, on="p_partkey")
        .filter(col("l_quantity") < col("few"))
        # SQL's sum of no rows is null.
        .select(pl.when(pl.len() > 0).then(col("l_extendedprice").sum() / 7.0).alias("avg_yearly"))
    )


def q18(t: Tables) -> Any:
    """Large volume customer."""
    large = t["lineitem"].group_by("l_orderkey").agg(col("l_quantity").sum().alias("col6")).filter(col("col6") > 300)
    return (
        t["orders"]
        .join(large, left_on="o_orderkey", right_on="l_orderkey")
        .join(t["customer"], left_on="o_custkey", right_on="c_custkey")
        .select("c_name", col("o_custkey").alias("c_custkey"), "o_orderkey", "o_orderdate", "o_totalprice", "col6")
        .sort("o_totalprice", "o_orderdate", descending=[True, False])
        .head(100)
    )


def q19(t: Tables) -> Any:
    """Discounted revenue."""

    def kind(brand: str, containers: str, least: int, size: int) -> pl.Expr:
        return (
            (col("p_brand") == brand)
            & col("p_container").is_in(containers.split(","))
            & col("l_quantity").is_between(least, least + 10)
            & col("p_size").is_between(1, size)
        )

    return (
        t["lineitem"]
        .filter(col("l_shipmode").is_in(["AIR", "AIR REG"]), col("l_shipinstruct") == "DELIVER IN PERSON")
        .join(
            t["part"].filter(col("p_brand").is_in(["Brand#12", "Brand#23", "Brand#34"]), col("p_size") <= 15),
            left_on="l_partkey",
            right_on="p_partkey",
        )
        .filter(
            kind("Brand#12", "SM CASE,SM BOX,SM PACK,SM PKG", 1, 5)
            | kind("Brand#23", "MED BAG,MED BOX,MED PKG,MED PACK", 10, 10)
            | kind("Brand#34", "LG CASE,LG BOX,LG PACK,LG PKG", 20, 15)
        )
        .select(DISC_PRICE.sum().alias("revenue"))
    )


def q20(t: Tables) -> Any:
    """Potential part promotion."""
    forest = t["part"].filter(col("p_name").str.starts_with("forest"))
    shipped = (
        t["lineitem"]
        .filter(col("l_shipdate") >= date(1994, 1, 1), col("l_shipdate") < date(1995, 1, 1))
        .join(forest, left_on="l_partkey", right_on="p_partkey", how="semi")
        .group_by("l_partkey", "l_suppkey")
        .agg((0.5 * col("l_quantity").sum()).alias("half"))
    )
    much = (
        t["partsupp"]
        .join(shipped, left_on=["ps_partkey", "ps_suppkey"], right_on=["l_partkey", "l_suppkey"])
        .filter(col("ps_availqty") > col("half"))
    )
    return (
        t["supplier"]
        .join(t["nation"].filter(col("n_name") == "CANADA"), left_on="s_nationkey", right_on="n_nationkey")
        .join(much, left_on="s_suppkey", right_on="ps_suppkey", how="semi")
        .select("s_name", "s_address")
        .sort("s_name")
    )


def q21(t: Tables) -> Any:
    """Suppliers who kept orders waiting."""
    late, supplier = t["lineitem"].filter(col("l_receiptdate") > col("l_commitdate")), col("l_suppkey")
    ends = [supplier.min().alias("lowest"), supplier.max().alias("highest")]
    several = t["lineitem"].group_by("l_orderkey").agg(ends).filter(col("lowest") != col("highest"))
    one_late = late.group_by("l_orderkey").agg(ends).filter(col("lowest") == col("highest"))
    return (
        late.join(several, on="l_orderkey", how="semi")
        .join(one_late, on="l_orderkey", how="semi")
        .join(t["orders"].filter(col("o_orderstatus") == "F"), left_on="l_orderkey", right_on="o_orderkey")
        .join(t["supplier"], left_on="l_suppkey", right_on="s_suppkey")
        .join(t["nation"].filter(col("n_name") == "SAUDI ARABIA"), left_on="s_nationkey", right_on="n_nationkey")
        .group_by("s_name")
        .agg(pl.len().alias("numwait"))
        .sort("numwait", "s_name", descending=[True, False])
        .head(100)
    )


def q22(t: Tables) -> Any:
    """Global sales opportunity."""
    customers = t["customer"].with_columns(col("c_phone").str.slice(0, 2).alias("cntrycode"))
    customers = customers.filter(col("cntrycode").is_in(["13", "31", "23", "29", "30", "18", "17"]))
    average = customers.filter(col("c_acctbal") > 0.0).select(col("c_acctbal").mean().alias("average"))
    return (
        customers.join(average, how="cross")
        .filter(col("c_acctbal") > col("average"))
        .join(t["orders"], left_on="c_custkey", right_on="o_custkey", how="anti")
        .group_by("cntrycode")
        .agg(pl.len().alias("numcust"), col("c_acctbal").sum().alias("totacctbal"))
        .sort("cntrycode")
    )
