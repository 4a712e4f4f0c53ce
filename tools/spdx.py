"""The bill of materials of the packaged program as an SPDX 2.3 document; see tools/sbom."""
import hashlib
import json
import os
import re
import time
import uuid

import packing as p

# Header-only, compiled into the binary.
COMPILED_IN = ["libxxhash-dev"]


def spdx_id(*parts):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(parts)).strip("-")


def distribution():
    fields = {}
    with open("/etc/os-release", encoding="utf-8") as f:
        for line in f:
            name, _, value = line.strip().partition("=")
            fields[name] = value.strip('"')
    return fields.get("ID", "debian"), fields.get("VERSION_ID", "")


def debian_package(name):
    d = p.package(name)
    vendor, release = distribution()
    quoted = d["Version"].replace("%", "%25").replace("+", "%2B").replace(":", "%3A")
    purl = f"pkg:deb/{vendor}/{d['Package'].replace('+', '%2B')}@{quoted}?arch={d['Architecture']}"
    entry = {
        "SPDXID": spdx_id("Package", d["Package"]),
        "name": d["Package"],
        "versionInfo": d["Version"],
        "supplier": "Organization: Debian",
        "originator": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": d["License"],
        "copyrightText": "NOASSERTION",
        "sourceInfo": f"built by Debian from source package {d['source:Package']} {d['source:Version']}",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": purl + (f"&distro={vendor}-{release}" if release else "")}],
    }
    if re.match(r"https?://\S+$", d["Homepage"]):
        entry["homepage"] = d["Homepage"]
    return entry


def file_entry(name, path):
    return {
        "SPDXID": spdx_id("File", os.path.basename(name)),
        "fileName": "./" + name.lstrip("/"),
        "fileTypes": ["BINARY"],
        "checksums": [{"algorithm": kind, "checksumValue": p.digest(path, kind.lower())} for kind in ("SHA1", "SHA256")],
        "licenseConcluded": "NOASSERTION",
        "licenseInfoInFiles": ["NOASSERTION"],
        "copyrightText": "NOASSERTION",
    }


def own_package(version, commit, binary):
    # SPDX's verification code: the SHA1 of the sorted SHA1s of the files, of which there is one.
    sha1 = p.digest(binary, "sha1")
    return {
        "SPDXID": "SPDXRef-Package-kubefed",
        "name": "kubefed",
        "versionInfo": version,
        "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": True,
        "packageVerificationCode": {"packageVerificationCodeValue": hashlib.sha1(sha1.encode()).hexdigest()},
        "licenseConcluded": "Apache-2.0",
        "licenseDeclared": "Apache-2.0",
        "licenseInfoFromFiles": ["NOASSERTION"],
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "APPLICATION",
        "sourceInfo": f"built from commit {commit}",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": f"pkg:generic/kubefed@{version}"}],
    }


def relation(a, kind, b):
    return {"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b}


def make(binary, binary_name, beside=(), source=None, version=None):
    """The document as a value. `beside`: further Debian packages that are shipped; `source`: (name, path) of the archive."""
    commit, _, epoch = p.revision()
    version = version or p.version()
    own = own_package(version, commit, binary)
    main = file_entry(binary_name, binary)
    main.update(licenseConcluded="Apache-2.0")
    packages, files = [own], [main]
    relations = [relation("SPDXRef-DOCUMENT", "DESCRIBES", own["SPDXID"]), relation(own["SPDXID"], "CONTAINS", main["SPDXID"])]
    seen = {}

    def add(name):
        if name not in seen:
            packages.append(debian_package(name))
            seen[name] = packages[-1]["SPDXID"]
            return seen[name], True
        return seen[name], False

    for soname, path in p.libraries(binary).items():
        library, (spdx, new) = file_entry(path, path), add(p.owner(path))
        library["comment"] = f"shared library {os.path.basename(soname)}"
        files.append(library)
        if new:
            relations.append(relation(own["SPDXID"], "DEPENDS_ON", spdx))
        relations.append(relation(main["SPDXID"], "DYNAMIC_LINK", library["SPDXID"]))
        relations.append(relation(library["SPDXID"], "EXPANDED_FROM_ARCHIVE", spdx))
    for name in COMPILED_IN:
        relations.append(relation(own["SPDXID"], "STATIC_LINK", add(name)[0]))
    for name in beside:
        relations.append(relation(own["SPDXID"], "DEPENDS_ON", add(name)[0]))
    if source:
        entry = file_entry(*source)
        entry.update(fileTypes=["ARCHIVE", "SOURCE"], licenseConcluded="Apache-2.0")
        files.append(entry)
        relations.append(relation(main["SPDXID"], "GENERATED_FROM", entry["SPDXID"]))
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"kubefed-{version}",
        "creationInfo": {"created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
                         "creators": ["Tool: kubefed-tools-sbom"]},
        "packages": packages,
        "files": files,
        "relationships": relations,
    }
    content = json.dumps(document, sort_keys=True)
    document["documentNamespace"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}"
    return document


def text_of(document):
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
