"""The result as JSON and as tables for people."""

from __future__ import annotations

import dataclasses
from typing import Any

from engines import REFERENCE
from sweep import TARGETS, Run, at_recall, summary

Result = dict[str, Any]


def engine_json(run: Run, rows: int) -> Result:
    points = [summary(point) for point in run.points]
    anonymous = run.after_sweep.anonymous - run.before_open.anonymous
    out: Result = {
        "name": run.engine.name,
        "label": run.engine.label,
        "version": run.version,
        "scope": run.engine.scope,
        "durability": run.durability,
        "error": run.error,
        "build": run.build,
        "disk_bytes": run.disk_bytes,
        "open_s": run.open_s,
        "cold_open_s": run.cold_open_s,
        "settle_s": run.settle_s,
        "recall_queries": run.recall_queries,
        "sweep": points,
        "at_recall": {str(target): at_recall(points, target) for target in TARGETS},
    }
    if run.after_sweep.anonymous:
        out["memory"] = dataclasses.asdict(run.after_sweep) | {
            "mapped": run.after_sweep.mapped,
            "anonymous_before_open": run.before_open.anonymous,
            "anonymous_bytes_per_row": anonymous / rows,
            "mapped_bytes_per_row": run.after_sweep.mapped / rows,
        }
    if run.build:
        out["rows_per_cpu_second"] = rows / max(1e-9, run.build.get("linking_cpu_seconds") or run.build["cpu_seconds"])
    return out


def add_ratios(engines: list[Result]) -> None:
    """How many times as fast as the reference at the same recall target, in the same run."""
    reference = next((engine for engine in engines if engine["name"] == REFERENCE), None)
    for engine in engines:
        for target, point in engine["at_recall"].items():
            base = reference["at_recall"][target] if reference else None
            if point is None or base is None:
                continue
            point["ratio"] = base["mean_us"] / point["mean_us"]
            point["steady_ratio"] = base["steady_us"] / point["steady_us"]
            if "all_threads_per_second" in point and "all_threads_per_second" in base:
                point["all_threads_ratio"] = point["all_threads_per_second"] / base["all_threads_per_second"]


def columns(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def milliseconds(seconds: list[float]) -> str:
    """Of the best."""
    return number(1e3 * min(seconds) if seconds else None, 1)


def header(result: Result) -> str:
    host, data = result["host"], result["data"]
    options = result["options"]
    vnni = "with" if host["avx512_vnni"] else "without"
    return (
        f"{host['cpu']} (family/model {host['cpu_family_model']}, {vnni} AVX-512 VNNI), {host['cores']} cores, "
        f"{host['ram_bytes'] / 1e9:.0f} GB, {host['os']}, {host['compiler']}\n"
        f"huge pages: {host['transparent_hugepages']}; commit {host['commit']}; load average at the start "
        f"{host['load_average']:.1f}\n"
        f"{data['name']}{' (synthetic)' if data.get('synthetic') else ''}: {data['rows']:,} rows of {data['dim']}, "
        f"{data['deleted']:,} of them deleted, {data['metric']}, {data['queries']:,} queries (half to tune, half "
        f"reported), k {data['k']}, M {options['m']}, efConstruction {options['ef_construction']}; best of "
        f"{options['rounds']} rounds"
    )


def costs_table(engines: list[Result]) -> str:
    rows = [["engine", "version", "build s", "CPU s", "rows/CPU s", "disk B/row", "RAM B/row", "mapped B/row"]]
    rows[0] += ["open ms", "cold ms"]
    for engine in engines:
        build, memory = engine["build"], engine.get("memory", {})
        rows.append(
            [
                engine["label"],
                engine["version"].split(",")[0],
                number(build.get("seconds"), 1),
                number(build.get("cpu_seconds"), 1),
                number(engine.get("rows_per_cpu_second")),
                number(engine.get("disk_bytes_per_row")),
                number(memory.get("anonymous_bytes_per_row")),
                number(memory.get("mapped_bytes_per_row")),
                milliseconds(engine["open_s"]),
                milliseconds(engine["cold_open_s"]),
            ]
        )
    return columns(rows)


def recall_table(engines: list[Result], target: float, threads: int) -> str:
    rows = [
        [f"recall {target:.2f}", "ef or n", "recall", "us", "p50", "p95", "p99", "x hnswlib", "(medians)"]
        + [f"q/s, {threads} threads", "x hnswlib"]
    ]
    points = {engine["label"]: engine["at_recall"][str(target)] for engine in engines if engine["sweep"]}
    for label, point in sorted(points.items(), key=lambda item: item[1]["mean_us"] if item[1] else float("inf")):
        if point is None:
            rows.append([label, "never"] + [""] * 9)
            continue
        rows.append(
            [label, str(point["parameter"]), f"{point['recall']:.4f}"]
            + [number(point[key], 1) for key in ("mean_us", "p50_us", "p95_us", "p99_us")]
            + [number(point.get("ratio"), 2), number(point.get("steady_ratio"), 2)]
            + [number(point.get("all_threads_per_second")), number(point.get("all_threads_ratio"), 2)]
        )
    return columns(rows)


def huge_pages(engines: list[Result]) -> str:
    sizes = {engine["label"]: engine.get("memory", {}).get("huge_pages", 0) / 1e6 for engine in engines}
    held = ", ".join(f"{label} {size:,.0f} MB" for label, size in sizes.items() if size)
    return f"in huge pages: {held}" if held else ""


def mapped_files(engines: list[Result]) -> str:
    lines = []
    for engine in engines:
        files = engine.get("memory", {}).get("files", {})
        if not files:
            continue
        largest = sorted(files.items(), key=lambda item: -item[1])[:6]
        parts = ", ".join(f"{'/'.join(name.split('/')[-2:])} {size / 1e6:.1f} MB" for name, size in largest)
        lines.append(f"mapped by {engine['label']}: {parts}")
    return "\n".join(lines)


def exceptions(engines: list[Result], half: int) -> str:
    """What was measured otherwise than of the other engines, and what opening left to do."""
    lines = []
    for engine in engines:
        if 0 < engine["recall_queries"] < half:
            lines.append(f"{engine['label']}: recall from {engine['recall_queries']} queries of each half, for its time")
        if engine["settle_s"] >= 0.1:
            lines.append(f"{engine['label']}: settled {engine['settle_s']:.1f} s after its first answer, then measured")
    return "\n".join(lines)


def markdown(result: Result) -> str:
    """A page with one table, ratios to hnswlib in this run, and the plots."""
    threads = result["options"]["threads"]
    heads = ["", "0.95: µs", "×", "0.99: µs", "×", f"× with {threads} threads", "rows per CPU s"]
    heads += ["RAM B/row", "mapped B/row", "disk B/row", "open ms", "cold ms"]
    lines = [heads, ["---"] * len(heads)]
    for engine in result["engines"]:
        if engine["error"]:
            lines.append([engine["label"], f"failed: {engine['error'].splitlines()[0]}"] + [""] * (len(heads) - 2))
            continue
        low, high = (engine["at_recall"][target] or {} for target in ("0.95", "0.99"))
        memory = engine.get("memory", {})
        many = " / ".join(number(point.get("all_threads_ratio"), 2) for point in (low, high))
        line = [engine["label"]]
        for point in (low, high):
            line += [number(point.get("mean_us"), 1) if point else "never", number(point.get("ratio"), 2)]
        line += [many, number(engine.get("rows_per_cpu_second"))]
        line += [number(memory.get(f"{kind}_bytes_per_row")) for kind in ("anonymous", "mapped")]
        line += [number(engine.get("disk_bytes_per_row"))]
        line += [milliseconds(engine[key]) for key in ("open_s", "cold_open_s")]
        lines.append(line)
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    plots = ["recall-qps.svg"] + (["recall-qps-all.svg"] if threads > 1 else [])
    images = "\n\n".join(f"![recall against queries per second]({plot})" for plot in plots)
    return header(result).replace("\n", "  \n") + f"\n\n{table}\n\n{images}\n"


def text(result: Result) -> str:
    engines: list[Result] = result["engines"]
    parts = [header(result), costs_table(engines)]
    parts += [recall_table(engines, target, result["options"]["threads"]) for target in TARGETS]
    parts += [mapped_files(engines), huge_pages(engines)]
    for at in result.get("processes", []):
        if "error" in at:
            parts.append(f"vdb in several processes FAILED: {at['error']}")
            continue
        parts.append(
            f"vdb, min_recall 1 - 1 / {at['parameter']}: {at['count']} threads of one process {at['threads_per_second']:,.0f} q/s, "
            f"{at['count']} processes {at['processes_per_second']:,.0f} q/s: ratio {at['ratio']:.3f}"
        )
    notes = [f"{engine['label']}: {engine['scope'] or engine['durability']}" for engine in engines]
    parts.append("\n".join(note for note in notes if not note.endswith(": ")))
    parts.append(exceptions(engines, result["data"]["queries"] // 2))
    failures = [f"{engine['label']} FAILED: {engine['error']}" for engine in engines if engine["error"]]
    parts.append("\n".join(failures))
    return "\n\n".join(part for part in parts if part) + "\n"
