"""The figures for eyes, each beside its ceiling, floor or aim, and for programs."""
from base import MEMBERS, percentile

M = MEMBERS[0]


class Table:
    HEAD = ("WHAT", "FIGURE", "BESIDE IT", "RATIO", "AIM")

    def __init__(self):
        self.rows, self.data = [], {}

    def row(self, what, figure, beside="", ratio="", aim=""):
        self.rows.append((what, figure, beside, ratio, aim))

    def show(self):
        rows = [self.HEAD] + self.rows
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.HEAD))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def _memory(m):
    return f"{m['rss']:.1f} MiB, peak {m['peak']:.1f} MiB", f"{m['anonymous']:.1f} MiB not of files"


def _pairs(counted, form="{}"):
    return ", ".join(f"{form.format(n)} {what}" for what, n in counted.items()) or "none"


def memory_idle(t, m):
    t.data["memory idle"] = m
    t.row("memory, idle, 6 s after the start", *_memory(m), "", "< 8 MiB")


def latency(t, times, floor):
    t.data["create to both members, ms"], t.data["floor of create to both members, ms"] = times, floor
    for name, share, aim in (("p50", 0.5, "<= 2.00"), ("p99", 0.99, "")):
        mine, least = percentile(times, share), percentile(floor, share)
        t.row(f"create to both members, {name} of {len(times)}", f"{mine:.2f} ms", f"floor {least:.2f} ms",
              f"{mine / least:.2f}", aim)
    t.row("  worst", f"{max(times):.2f} ms", f"floor {max(floor):.2f} ms")


def single(t, what, times):
    t.data[f"{what}, ms"] = times
    t.row(f"{what}, p50 of {len(times)}", f"{percentile(times, 0.5):.2f} ms", f"p99 {percentile(times, 0.99):.2f} ms", "",
          "no fixed delay")


def idle(t, r, seconds):
    t.data["idle"] = r
    per = r["requests/min"]
    t.row(f"idle for {seconds} s", f"host {per['host']:.1f}, each member {per[M]:.1f} requests/min",
          f"{r['cpu ms/min']:.0f} ms CPU/min")
    t.row("  memory after it", *_memory(r["memory"]), "", "< 8 MiB")


def throughput(t, r, ceiling, ceiling_after, same):
    count = r["objects"]
    t.data[f"throughput {count}"] = {**r, "ceiling": ceiling, "ceiling after": ceiling_after, "same requests": same}
    tops = ceiling["objects/s"], ceiling_after["objects/s"]
    top, wall, all_done = max(tops), same["objects/s"], count / r["versions stored after"]
    t.row(f"throughput, {count} objects", f"{r['objects/s']:.1f} objects/s per member",
          f"raw {tops[0]:.1f} before, {tops[1]:.1f} after",
          f"{r['objects/s'] / top:.3f}", ">= 0.500")
    t.row("  all in the members", f"after {r['in members after']:.2f} s", f"host took them in {r['host took them in']:.2f} s")
    t.row("  every status says so", f"after {r['seconds']:.2f} s")
    t.row("  version records stored, too", f"after {r['versions stored after']:.2f} s")
    t.row("  all of it", f"{all_done:.1f} objects/s", f"raw {wall:.1f}, all requests", f"{all_done / wall:.3f}")
    t.row("  CPU per 1000 objects", f"{r['cpu seconds per 1000']:.3f} s", f"processors {100 * r['processors busy']:.0f} % busy")
    cpu = r["cpu seconds"]
    t.row("  CPU seconds of the clusters", f"host {cpu['host']:.1f}, members {cpu['members']:.1f}",
          f"controller manager {cpu['controller manager']:.1f}")
    per = r["requests per object"]
    t.row("  requests per object", f"host {per['host']:.2f}, each member {per[M]:.2f}")
    t.row("  load average before, after", r["load average before"], r["load average after"])
    t.row("  memory", *_memory(r["memory"]), "", "< 40 MiB" if count > 9000 else "")


def served(t, r):
    """What the API servers counted, per object."""
    for cluster in ("host", M):
        for what, n in r["served per object"][cluster].items():
            t.row(f"  {cluster}: {what}", f"{n:.2f} per object")


def removal(t, r):
    t.data[f"removal {r['objects']}"] = r
    t.row(f"deletion of all {r['objects']} objects", f"complete after {r['gone after']:.2f} s",
          f"host took it in {r['host took it in']:.2f} s")
    t.row("  memory", *_memory(r["memory"]))


def memory_per_object(t, before, after, objects):
    each = {name: (after[name] - before[name]) * (1 << 20) / objects for name in ("rss", "anonymous")}
    t.data["memory per object, bytes"] = each
    t.row("memory per object", f"{each['rss']:.0f} bytes", f"{objects} objects in 2 members")


def restart(t, r, objects):
    name = f"restart with {objects} objects" + (f", {r['changes']} changed" if r["changes"] else "")
    t.data[name] = r
    t.row(name, f"in sync after {r['at rest after']:.3f} s", f"leads after {r['leads after']:.3f} s", "",
          "< 2 s" if objects > 9000 else "")
    if r["changes"]:
        t.row("  last change undone", f"after {r['last change undone after']:.3f} s")
    t.row("  writes", _pairs(r["writes"]), "", "", "one per change" if r["changes"] else "none")
    t.row("  CPU", f"{r['cpu seconds']:.2f} s")
    t.row("  memory", *_memory(r["memory"]))


def planner(t, sizes):
    t.data["planner, ns"] = sizes
    for s in sizes:
        floor, mine = s["read"] + s["write"], s["gather"] + s["schedule"]
        t.row(f"schedule of one preference over {s['clusters']} clusters", f"{mine / 1000:.1f} us",
              f"reading and writing {floor / 1000:.1f} us", f"{mine / floor:.2f}", "< 1")
        t.row("  the planner alone", f"{s['plan'] / 1000:.1f} us", "", f"{s['plan'] / floor:.2f}")


def scheduling(t, r, raw):
    count = r["preferences"]
    t.data[f"scheduling {count}"] = {**r, "same requests": raw}
    made, changed = r["created"], r["changed"]
    t.row(f"{count} preferences created: scheduled, propagated, said", f"after {made['seconds']:.2f} s",
          f"host took them in {made['host took them in']:.2f} s")
    t.row(f"{count} preferences changed: scheduled, propagated, said", f"after {changed['seconds']:.2f} s",
          f"raw, all its writes {raw['seconds']:.2f} s", f"{raw['seconds'] / changed['seconds']:.3f}")
    t.row("  CPU per 1000 preferences", f"created {1000 * made['cpu seconds'] / count:.3f} s",
          f"changed {1000 * changed['cpu seconds'] / count:.3f} s")
    for what, run in (("created", made), ("changed", changed)):
        for cluster in ("host", M):
            for write, n in run["served per preference"][cluster].items():
                t.row(f"  {what}, {cluster}: {write}", f"{n:.2f} per preference")
    each = (r["memory"]["anonymous"] - r["memory before"]["anonymous"]) * (1 << 20) / count
    t.row("  memory per preference", f"{each:.0f} bytes", f"{r['memory']['rss']:.1f} MiB resident")
    rest = r["at rest, requests/min"]
    t.row("  at rest", f"host {rest['host']:.1f}, each member {rest[M]:.1f} requests/min")


def moves(t, r):
    t.data["moves"] = r
    for what, times in (("more replicas elsewhere", r["shares, ms"]), ("a pod that runs elsewhere", r["running, ms"])):
        t.row(f"pod without room: {what}, p50 of {len(times)}", f"{percentile(times, 0.5):.1f} ms, worst {max(times):.1f}",
              f"two writes {percentile(r['floor, ms'], 0.5):.1f} ms", f"{percentile(times, 0.5) / percentile(r['floor, ms'], 0.5):.1f}")
