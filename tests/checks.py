"""Reports of the tests of what is packaged: one line per check, and "N passed, N failed" at the end."""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tools"))


class Checks:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def that(self, name, holds, detail=""):
        """`detail` is shown when it does not hold."""
        if holds:
            self.passed += 1
            print(f"ok   {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL {name}")
            for line in str(detail).splitlines()[-30:]:
                print(f"    {line[:400]}")
            sys.stdout.flush()
        return bool(holds)

    def none(self, name, found):
        """Nothing was found that is wrong."""
        return self.that(name, not found, "\n".join(map(str, found)))

    def equal(self, name, got, want):
        return self.that(name, got == want, f"got  {got!r}\nwant {want!r}")

    def skip(self, name, why):
        self.skipped += 1
        print(f"skip {name}: {why}", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else ""))
        return 1 if self.failed or not self.passed else 0


def sbom_faults(document, sonames):
    """What is wrong with an SPDX 2.3 document, by the fields that the specification demands, and what it does not name."""
    faults = []

    def want(where, value, fields):
        faults.extend(f"{where}: no {field}" for field in fields if not value.get(field) and value.get(field) is not False)
    want("document", document, ("spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo", "packages"))
    want("creationInfo", document.get("creationInfo", {}), ("created", "creators"))
    if document.get("spdxVersion") != "SPDX-2.3" or document.get("dataLicense") != "CC0-1.0":
        faults.append("version or license of the document")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"]):
        faults.append("creationInfo: created")
    ids = [document["SPDXID"]]
    for package in document["packages"]:
        want(package.get("name"), package, ("SPDXID", "name", "downloadLocation", "versionInfo", "supplier", "licenseDeclared"))
        if package.get("filesAnalyzed", True) and "packageVerificationCode" not in package:
            faults.append(f"{package['name']}: no packageVerificationCode")
        if not any(r["referenceType"] == "purl" and r["referenceLocator"].startswith("pkg:") for r in package["externalRefs"]):
            faults.append(f"{package['name']}: no purl")
        ids.append(package["SPDXID"])
    for file in document["files"]:
        want(file.get("fileName"), file, ("SPDXID", "fileName", "checksums"))
        lengths = {c["algorithm"]: len(c["checksumValue"]) for c in file["checksums"]}
        if lengths != {"SHA1": 40, "SHA256": 64}:
            faults.append(f"{file['fileName']}: checksums {lengths}")
        ids.append(file["SPDXID"])
    faults += [f"{one} twice" for one in set(ids) if ids.count(one) > 1]
    faults += [f"bad id {one}" for one in ids if not re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", one)]
    relations = [(r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"]) for r in document["relationships"]]
    faults += [f"relationship with an unknown end: {r}" for r in relations if r[0] not in ids or r[2] not in ids]
    if not any(r[:2] == ("SPDXRef-DOCUMENT", "DESCRIBES") for r in relations):
        faults.append("the document describes nothing")
    depends = {r[2] for r in relations if r[1] == "DEPENDS_ON"}
    expanded = {r[0]: r[2] for r in relations if r[1] == "EXPANDED_FROM_ARCHIVE"}
    named = {os.path.basename(f["fileName"]): expanded.get(f["SPDXID"]) for f in document["files"]}
    for soname in sonames:
        if named.get(os.path.basename(soname)) not in depends:
            faults.append(f"{soname} is not named with its package")
    return faults
