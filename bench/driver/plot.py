"""Plots recall against queries a second from a result.json: recall-qps.svg and, with all threads, recall-qps-all.svg.

    build/peers/bin/python bench/driver/plot.py RESULT.json [--png]
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

OURS, REFERENCE = "#0b6e4f", "#222222"
FAMILIES = {
    "faiss": "#d1495b",
    "usearch": "#3d7ea6",
    "zvec": "#e09f3e",
    "qdrant": "#7b5ea7",
    "chromadb": "#b56576",
    "lancedb": "#5e8c31",
    "milvus": "#4a90a4",
    "sqlite": "#8d8d8d",
}
DASHES = ("-", "--", ":")
SHOWN_RECALL = (0.85, 0.9995)


def styles(engines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """One colour a family; the variants of a family differ by dashes."""
    out: dict[str, dict[str, Any]] = {}
    members: dict[str, int] = {}
    for engine in engines:
        name = engine["name"]
        family = next((key for key in FAMILIES if name.startswith(key)), name.split("_")[0])
        member = members[family] = members.get(family, -1) + 1
        colour = {"vdb": OURS, "hnswlib": REFERENCE}.get(family, FAMILIES.get(family, "#555555"))
        strong = family == "vdb"
        out[name] = {
            "color": colour,
            "linestyle": DASHES[member % len(DASHES)],
            "linewidth": 2.6 if strong else 1.5,
            "marker": "o" if member == 0 else ".",
            "markersize": 4.5 if strong else 3.5,
            "zorder": 5 if strong else 4 if family == "hnswlib" else 3,
        }
    return out


def frontier(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without the points that another beats in both recall and speed."""
    kept: list[tuple[float, float]] = []
    for recall, speed in sorted(points, reverse=True):
        if not kept or speed > kept[-1][1]:
            kept.append((recall, speed))
    return kept[::-1]


def spread(recall: float) -> float:
    """Places 0.9, 0.99 and 0.999 at equal distances."""
    return -math.log10(max(1e-6, 1 - recall))


def draw(axes: Axes, engines: list[dict[str, Any]], speed_of: Any) -> list[tuple[float, Any, str]]:
    """Lines, and (best speed, line, label) of each for the legend."""
    drawn = []
    for engine in engines:
        style = styles(engines)[engine["name"]]
        points = frontier([(p["recall"], speed_of(p)) for p in engine["sweep"] if speed_of(p)])
        if not points:
            continue
        shown = [(min(r, SHOWN_RECALL[1]), s) for r, s in points if r >= SHOWN_RECALL[0]]
        if not shown:
            continue
        (line,) = axes.plot([spread(r) for r, _ in shown], [s for _, s in shown], **style)
        drawn.append((max(s for _, s in shown), line, engine["label"]))
    return sorted(drawn, key=lambda item: -item[0])


def caption(result: dict[str, Any], threads: int) -> tuple[str, str]:
    host, data = result["host"], result["data"]
    kind = " synthetic" if data.get("synthetic") else ""
    title = f"{data['name']}: {data['rows']:,}{kind} rows × {data['dim']}"
    wide = "AVX-512 VNNI" if host["avx512_vnni"] else "AVX2" if "avx2" in host["flags"] else "no AVX2"
    below = (
        f"{host['cpu']} ({wide}), {threads} thread{'s' if threads > 1 else ''}; {data['metric']}, "
        f"{100 * result['options']['deleted']:g} % deleted, best of {result['options']['rounds']} rounds"
    )
    return title, below


def plot(result: dict[str, Any], path: pathlib.Path, all_threads: bool) -> None:
    key = "all_threads_per_second" if all_threads else "mean_us"
    threads = result["options"]["threads"] if all_threads else 1

    def speed_of(point: dict[str, Any]) -> float:
        value = point.get(key)
        return 0.0 if not value else float(value) if all_threads else 1e6 / float(value)

    figure, axes = plt.subplots(figsize=(9, 5.2))
    drawn = draw(axes, result["engines"], speed_of)
    axes.set_yscale("log")
    ticks = [0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999]
    axes.xaxis.set_major_locator(FixedLocator([spread(tick) for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:g}" for tick in ticks])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlim(spread(SHOWN_RECALL[0]), spread(SHOWN_RECALL[1]) + 0.03)
    axes.set_xlabel(f"recall@{result['data']['k']}")
    axes.set_ylabel("queries per second (log scale)")
    title, below = caption(result, threads)
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=22)
    axes.text(0, 1.025, below, transform=axes.transAxes, fontsize=8.5, color="#555555")
    axes.grid(True, which="major", color="#dddddd", linewidth=0.8)
    axes.grid(True, which="minor", axis="y", color="#f0f0f0", linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(
        [line for _, line, _ in drawn],
        [label for _, _, label in drawn],
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        fontsize=9,
        handlelength=2.8,
    )
    figure.savefig(path, bbox_inches="tight", dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=pathlib.Path)
    parser.add_argument("--png", action="store_true", help="also as .png")
    options = parser.parse_args()
    plt.rcParams |= {"font.family": "DejaVu Sans", "svg.fonttype": "path", "svg.hashsalt": "bench", "axes.edgecolor": "#888888"}
    result = json.loads(options.result.read_text())
    for name, all_threads in (("recall-qps", False), ("recall-qps-all", True)):
        if all_threads and result["options"]["threads"] < 2:
            continue
        for ending in ("svg", "png") if options.png else ("svg",):
            plot(result, options.result.with_name(f"{name}.{ending}"), all_threads)


if __name__ == "__main__":
    main()
