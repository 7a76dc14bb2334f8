#!/usr/bin/env python3
"""Writes the golden prompts from cases.json with Python's own json.dumps, the reference for their bytes.

Run in this folder: python3 make.py. Tests compare; nothing runs this at build time."""

import hashlib
import json

TEMPLATE = """
You are a helpful assistant designed to find the best suited route.
You are provided with route description within <routes></routes> XML tags:
<routes>

@ROUTES@

</routes>

<conversation>

@TURNS@

</conversation>

Your task is to decide which route is best suit with user intent on the conversation in <conversation></conversation> XML tags.  Follow the instruction:
1. If the latest intent from user is irrelevant or user intent is full filled, response with other route {"route": "other"}.
2. You must analyze the route descriptions and find the best match route for user latest intent.~
3. You only response the name of the route that best matches the user's request, use the exact name in the <routes></routes>.

Based on your analysis, provide your response in the following JSON formats if you decide to match any route:
{"route": "route_name"}~
""".replace("~\n", " \n")

sums = []
for case in json.load(open("cases.json", encoding="utf-8")):
    ascii = case.get("ascii", True)

    def dump(value):
        text = json.dumps(value, ensure_ascii=ascii)
        for special in case.get("specials", []):
            text = text.replace(special, "\\u%04x" % ord(special[0]) + special[1:])
        return text

    routes = [{"name": name, "description": description} for name, description in case["routes"]]
    turns = [{"role": role, "content": text} for role, text in case["shown"]]
    before, rest = TEMPLATE.split("@ROUTES@")
    between, after = rest.split("@TURNS@")
    data = (before + dump(routes) + between + dump(turns) + after).encode()
    with open(case["name"] + ".txt", "wb") as file:
        file.write(data)
    sums.append(f"{hashlib.sha256(data).hexdigest()}  {case['name']}.txt\n")
with open("SHA256SUMS", "w") as file:
    file.writelines(sums)
