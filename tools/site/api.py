"""Pages of the API from Doxygen's XML: one for each public class and namespace, in the site's own
form, so that its search, its colours and its tests hold for them too."""

import html
import re
import xml.etree.ElementTree as ElementTree

LIBRARY = "runtime_sharing"
HEADERS = "correct-example/include"  # what Doxygen's paths are relative to
LONGEST_LINE = 88
KINDS = {"class", "struct", "namespace"}


def pages(folder):
    """{path: Markdown} of the folder with Doxygen's XML."""
    roots = [ElementTree.parse(path).getroot() for path in sorted(folder.glob("*.xml"))]
    compounds = [compound for root in roots for compound in root.iter("compounddef")
                 if compound.get("kind") in KINDS and is_public(compound)]
    main = next(compound for root in roots for compound in root.iter("compounddef")
                if compound.get("id") == "indexpage")
    places = places_of(compounds)
    made = {f"api/{page_name(compound)}.md": page(compound, places) for compound in compounds}
    made["api/index.md"] = index(main, compounds, places)
    return made


def headers(folder):
    """The sources that the pages name."""
    return sorted({f"{HEADERS}/{location.get('file')}" for path in folder.glob("*.xml")
                   for compound in ElementTree.parse(path).getroot().iter("compounddef")
                   if compound.get("kind") in KINDS and is_public(compound)
                   for location in compound.iter("location")
                   if location.get("file").startswith(LIBRARY)})


def is_public(compound):
    name = compound.findtext("compoundname")
    return (name.split("::")[0] == LIBRARY and "detail" not in name
            and (list(members(compound)) or is_described(compound)))


def is_described(element):
    return any("".join(element.find(part).itertext()).strip()
               for part in ("briefdescription", "detaileddescription"))


def members(compound):
    return (member for member in compound.iter("memberdef")
            if member.get("prot") == "public" and is_described(member))


# ---- names and places -------------------------------------------------------------------------

def short(name):
    return name.removeprefix(f"{LIBRARY}::")


def page_name(compound):
    name = compound.findtext("compoundname")
    return "namespace" if name == LIBRARY else short(name).replace("::", "-")


def heading(member, compound):
    name = member.findtext("name")
    own = compound.findtext("compoundname").split("::")[-1]
    return {own: "Constructor", f"~{own}": "Destructor"}.get(name, f"`{name}`")


def anchor(text):
    return re.sub(r"[^\w\- ]", "", text.lower())


def places_of(compounds):
    """{id: address} of what a description can lead to."""
    places = {}
    for compound in compounds:
        file = f"{page_name(compound)}.html"
        places[compound.get("id")] = file
        for member in members(compound):
            places[member.get("id")] = f"{file}#{anchor(heading(member, compound))}"
            for value in member.iter("enumvalue"):
                places[value.get("id")] = places[member.get("id")]
    return places


# ---- descriptions -----------------------------------------------------------------------------

TAGS = {"computeroutput": "code", "emphasis": "em", "bold": "strong", "itemizedlist": "ul",
        "orderedlist": "ol", "listitem": "li", "table": "table", "row": "tr"}


def inline(element, places):
    return html.escape(element.text or "", quote=False) + "".join(
        rendered(child, places) + html.escape(child.tail or "", quote=False) for child in element)


def rendered(element, places):
    inside = inline(element, places)
    if element.tag == "ref":
        place, inside = places.get(element.get("refid")), short(inside)
        return f'<a href="{place}"><code>{inside}</code></a>' if place else f"<code>{inside}</code>"
    if element.tag == "entry":
        inside = re.sub(r"</?p>", "", inside).strip()
        return f"<th>{inside}</th>" if element.get("thead") == "yes" else f"<td>{inside}</td>"
    if element.tag == "para":
        blocks = any(child.tag in ("table", "itemizedlist", "orderedlist") for child in element)
        return inside if blocks else f"<p>{inside.strip()}</p>\n"
    tag = TAGS[element.tag]  # a new one must be looked at: no silent default
    return f"<{tag}>{inside}</{tag}>"


def description(element, places):
    parts = [inline(element.find(part), places)
             for part in ("briefdescription", "detaileddescription")]
    return re.sub(r"\n\s*\n", "\n", "".join(parts)).strip()


# ---- declarations -----------------------------------------------------------------------------

def spaced(text):
    """C++ as this repository writes it, not as Doxygen does."""
    text = re.sub(r" ([&*]+)(?=[\w.])", r"\1 ", text)
    text = re.sub(r" ([&*]+)(?=[,)>]|$)", r"\1", text).replace("& ...", "&...")
    text = re.sub(r"< ", "<", text)
    return re.sub(r"(?<!operator) >", ">", text).replace("=default", " = default")


def text_of(element):
    return "".join(element.itertext()).strip() if element is not None else ""


def declaration(member, compound):
    scope = f"{compound.findtext('compoundname')}::"
    if member.get("kind") == "enum":
        word = "enum class" if member.get("strong") == "yes" else "enum"
        return f"{word} {member.findtext('name')}"
    head = spaced(member.findtext("definition").replace(scope, "").replace(f"{LIBRARY}::", ""))
    template = template_of(member)
    if member.get("kind") != "function":
        return template + head + (f" {spaced(text_of(member.find('initializer')))}"
                                  if member.find("initializer") is not None else "")
    arguments = spaced(member.findtext("argsstring"))
    if len(head + arguments) > LONGEST_LINE:
        inside, _, tail = arguments[1:].rpartition(")")
        lines = ",\n    ".join(split_arguments(inside))
        arguments = f"(\n    {lines}){tail}"
    return template + head + arguments


def template_of(element):
    params = element.find("templateparamlist")
    if params is None:
        return ""
    words = [spaced(" ".join(filter(None, (text_of(param.find("type")),
                                           text_of(param.find("declname"))))))
             + (f" = {text_of(param.find('defval'))}" if param.find("defval") is not None else "")
             for param in params.iter("param")]
    return f"template <{', '.join(words)}>\n"


def split_arguments(text):
    """At the commas that are in no bracket."""
    depth, part, parts = 0, "", []
    for char in text:
        depth += (char in "(<{[") - (char in ")>}]")
        if char == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += char
    return parts + [part.strip()]


def source(element):
    location = element.find("location")
    if location is None or not location.get("file").startswith(LIBRARY):
        return ""
    file, line = location.get("file"), location.get("line")
    return f'<p class="from"><a href="../{HEADERS}/{file}.html#L{line}">{file}:{line}</a></p>\n'


# ---- pages ------------------------------------------------------------------------------------

def page(compound, places):
    name = short(compound.findtext("compoundname"))
    lines = [f"# {name}", ""]
    if compound.get("kind") != "namespace":
        lines += [source(compound), "```cpp", f"{template_of(compound)}{compound.get('kind')} {name}",
                  "```", ""]
    lines += [description(compound, places), ""]
    title = None
    for member in members(compound):
        if heading(member, compound) != title:
            title = heading(member, compound)
            lines += [f"## {title}", ""]
        lines += [source(member), "```cpp", declaration(member, compound), "```", "",
                  description(member, places), ""]
        values = [(value.findtext("name"), description(value, places))
                  for value in member.iter("enumvalue")]
        if values:
            rows = "".join(f"<tr><td><code>{value}</code></td><td>{words}</td></tr>"
                           for value, words in values)
            lines += [f"<table><tr><th>value</th><th>meaning</th></tr>{rows}</table>", ""]
    return "\n".join(lines)


def index(main, compounds, places):
    rows = "".join(
        f'<tr><td><a href="{places[compound.get("id")]}"><code>'
        f'{html.escape(short(compound.findtext("compoundname")))}</code></a></td>'
        f'<td>{re.sub("</?p>", "", inline(compound.find("briefdescription"), places)).strip()}</td></tr>'
        for compound in compounds)
    return "\n".join(["# API", "", description(main, places), "", "## All of it", "",
                      f"<table><tr><th>name</th><th>what it is</th></tr>{rows}</table>", ""])
