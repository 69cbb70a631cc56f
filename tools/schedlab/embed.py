#!/usr/bin/env python3
"""usage: embed.py page.html > page_template.cc: a file as a C string."""
# SPDX-License-Identifier: Apache-2.0
import json
import sys

print("// Made from page.html by embed.py.\nextern const char kPageTemplate[];\nconst char kPageTemplate[] =")
with open(sys.argv[1], encoding="utf-8") as page:
    for line in page:
        print("    " + json.dumps(line, ensure_ascii=False))
print(";")
