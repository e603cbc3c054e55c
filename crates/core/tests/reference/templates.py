"""Renders templates for conversations with Jinja2, set up as models' templates are written to be rendered.

Writes templates.json, which the tests of `inference::jinja` compare with. Needs Jinja2 3.1: pip install jinja2.
"""

import datetime
import json
import pathlib

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = 1_709_217_305  # Thursday 29 February 2024, 14:35:05


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


def refuse(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
)
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = refuse
environment.globals["strftime_now"] = lambda format: datetime.datetime.fromtimestamp(
    NOW, datetime.timezone.utc
).strftime(format)

USER = {"role": "user", "content": "Hi there"}
ANSWER = {"role": "assistant", "content": "Hello! What can I do?"}
AGAIN = {"role": "user", "content": "  Say 'é' and \"日本語\".\n\tThen {stop} <b>&</b>  \n"}
SYSTEM = {"role": "system", "content": "Be brief.\nBe kind."}
TOOL_CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"type": "function", "function": {"name": "weather", "arguments": {"city": "Bern", "days": 2}}}
    ],
}
TOOL = {"role": "tool", "name": "weather", "content": '{"t": 21.5}'}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "What the weather is.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "A city's name"},
                    "days": {"type": "integer", "enum": [1, 2, 3]},
                },
                "required": ["city"],
            },
        },
    }
]


def context(messages, tools=None, answer=False):
    return {
        "messages": messages,
        "tools": tools,
        "documents": None,
        "add_generation_prompt": answer,
        "bos_token": "<s>",
        "eos_token": "</s>",
    }


CONTEXTS = [
    context([USER]),
    context([USER], answer=True),
    context([USER, ANSWER, AGAIN], answer=True),
    context([SYSTEM, USER, ANSWER, AGAIN], answer=True),
    context([SYSTEM, USER], tools=TOOLS, answer=True),
    context([USER, TOOL_CALL, TOOL], tools=TOOLS, answer=True),
]

# Each is rendered with every context.
CONVERSATIONS = {
    "chatml": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + (message['content'] or '') + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "default system": "{%- if messages[0].role != 'system' %}{{- '<|sys|>Help.' }}{%- endif %}\n{%- for m in messages %}\n    {{- '<|' + m.role + '|>' ~ m.content | default('', true) | trim }}\n{%- endfor %}\n",
    "brackets": """{{ bos_token }}{% for message in messages %}
{% if message['role'] == 'user' %}
[INST] {{ message['content'].strip() }} [/INST]
{%- elif message['role'] == 'assistant' and message.content %}
 {{ message['content'] }}{{ eos_token }}
{%- endif %}
{% endfor %}""",
    "turns": """{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns: ' ~ m.role) }}{% endif %}{{ m.role }}:{{ m.content }}
{% endfor %}""",
    "merged system": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system = false %}{% endif %}
{% for message in loop_messages %}
  {% if loop.index0 == 0 and system != false %}
    {% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + message['content'] %}
  {% else %}
    {% set content = message['content'] %}
  {% endif %}
  {{ '[' ~ loop.index ~ '/' ~ loop.length ~ '] ' ~ content }}
{% endfor %}""",
    "tools": """{%- if tools %}
    {{- '<tools>' }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- '\\n</tools>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.tool_calls is defined and message.tool_calls %}
        {%- for call in message.tool_calls %}
            {%- if call.function %}{%- set call = call.function %}{%- endif %}
            {{- '<call>{"name": "' + call.name + '", "arguments": ' }}
            {{- call.arguments | tojson }}
            {{- '}</call>' }}
        {%- endfor %}
    {%- elif message.role == "tool" %}
        {%- if loop.index0 == 0 or messages[loop.index0 - 1].role != "tool" %}{{- '<answers>' }}{%- endif %}
        {{- message.content }}
        {%- if loop.last or messages[loop.index0 + 1].role != "tool" %}{{- '</answers>' }}{%- endif %}
    {%- else %}
        {{- message.role + ': ' + message.content + '\\n' }}
    {%- endif %}
{%- endfor %}
{{- '>' if add_generation_prompt else '' }}""",
    "namespace": """{%- set ns = namespace(last=-1, seen=false) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if not ns.seen and message.role == 'user' and not (message.content.startswith('<r>') and message.content.endswith('</r>')) %}
        {%- set ns.seen = true %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{{- ns.last }} {{ ns.seen }} {{ ns.missing is defined }}""",
    "macros": """{% macro line(role, text='-', end='.') %}
{{ role }}={{ text }}{{ end }}
{% endmacro %}
{% macro types(schema, depth=0) %}
{%- if schema.type == 'object' -%}
{ {%- for name, inner in schema.properties.items() %}{{ name }}: {{ types(inner, depth + 1) }}{{ ', ' if not loop.last }}{%- endfor -%} }
{%- else -%}
{{ schema.type ~ depth }}
{%- endif -%}
{% endmacro %}
{% for m in messages %}{{ line(m.role, end='!') }}{{ line(m.role, m.content) }}{% endfor %}
{% if tools %}{% for t in tools %}{{ types(t.function.parameters) }}{% endfor %}{% endif %}""",
    "loop controls": "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{% if loop.index > 3 %}{% break %}{% endif %}{{ m.role }};{% else %}none{% endfor %}",
    "filtered loop": "{% for m in messages if m.role != 'system' %}{{ loop.index }}/{{ loop.length }}{{ m.role }}{% if not loop.last %},{% endif %}{% else %}nobody{% endfor %}",
    "select": "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | map('trim') | join(' | ') }} {{ messages | rejectattr('role', 'in', ['user', 'system']) | list | length }} {{ messages | map(attribute='role') | unique | sort | join(',') }} {{ (messages | last).role }} {{ (messages | first)['role'] }}",
    "date": "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }} {{ strftime_now(\"%Y-%m-%d %H:%M:%S %A %j %B %I %p\") }}{% endif %}",
    "indented json": "{% if tools is not none %}{{ tools | tojson(indent=4) }}\n{{ tools[0].function.parameters | tojson(sort_keys=true, separators=(',', ':')) }}{% endif %}{{ messages[-1] | tojson(ensure_ascii=true) }}",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}\n{% set m = 1 %}{% endgeneration %}{% else %}<|{{ m.role }}|>{{ m.content }}{% endif %}{% endfor %}",
    "percent": "{% for m in messages %}{{ '<%s>%s' % (m.role, m.content) }}{% endfor %}",
    "printed": "{{ messages }} {{ tools }}",
    "thoughts": "{% for m in messages %}{% if m.content %}{% set parts = m.content.split('a') %}{{ parts[0].rstrip('\\n').split('e')[-1].lstrip('\\n') }}|{{ parts[-1] }}|{{ parts }}{% endif %}{% endfor %}",
    "system first": "{{ messages[0].content if messages[0].role == 'system' else raise_exception('no system') }}",
}

# Rendered with one context.
SNIPPETS = [
    # White space.
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
    "a\n  {%+ if true %}\n  b\n  {% endif +%}\nc\n\n",
    "a \n {%- if true -%} \n b \n {%- endif -%} \n c",
    "  {# gone #}\n x {#- gone -#} \n y {# a #} z\n",
    "{{ 1 }}\n{{ 2 }}\n  {{ 3 -}}  \n  {{- 4 }}\n",
    "{% raw %}\n {{ not }} {% this %}\n{% endraw %}\nx\n  {% raw -%} \n y \n {%- endraw %} z",
    "x\r\ny\r{% if true %}\r\nz{% endif %}",
    "\n\n{% set x = 1 %}\n\n{{ x }}\n\n",
    "{% if true %}a{% endif %} {% if true %}b{% endif %}",
    "{{ {'a': {'b': 1}} }}{{ {} }}{{ {'a': {}} }}",
    "{{ '%}' }}{% set x = '}}' %}{{ x }}",
    # Literals and operators.
    "{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7.5 % 2 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 2 ** -1 }}",
    "{{ 1_000 }} {{ 1.50 }} {{ 1e3 }} {{ 1.5e-7 }} {{ 1e16 }} {{ 1e22 }} {{ 123456789.123 }} {{ 0.1 + 0.2 }} {{ 1 / 3 }} {{ 3.0 }}",
    "{{ 'a' 'b' \"c\" }} {{ 'a\\tb\\x41\\u00e9\\'\\q' }} {{ 'a' ~ 1 ~ none ~ true ~ 1.0 ~ missing ~ [1, 'x'] }}",
    "{{ 'ab' * 3 }} {{ 3 * 'ab' }} {{ 'ab' * -1 }}| {{ [1, 2] * 2 }} {{ [1] + [2] }} {{ (1,) + (2, 3) }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' in 'cat' }} {{ 'x' not in ['y'] }} {{ 'k' in {'k': 1} }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ true == 1 }}",
    "{{ 1 and 0 }} {{ 0 or 'x' }} {{ not 1 }} {{ '' or [] }} {{ none and 1 }} {{ not not 'a' }} {{ 'a' if 0 else 'b' if 0 else 'c' }} [{{ 'a' if 0 }}]",
    "{{ [1, 'a', none, true, 1.5, [], {}, (1,), ()] }} {{ {'a': 1, \"b'\": 'c\"', 1: 2} }} {{ ('it\\'s', 'q\"', 'both\\'\"', 'n\\n\\t\\\\') }}",
    "{{ 1, 2 }} {{ (1, 2)[0] }} {{ () }}",
    "{{ -5 | abs }} {{ -5.5 | abs }} {{ +3 }} {{ - 3 }} {{ 5 is odd and 4 is even }}",
    # Access.
    "{{ 'hello'[1] }} {{ 'hello'[-1] }} {{ 'hello'[1:3] }} {{ 'hello'[:-1] }} {{ 'hello'[::-1] }} {{ 'hello'[::2] }} {{ 'hello'[9:] }}| {{ 'héllo'[1:2] }} {{ 'hello'[9] is defined }}",
    "{{ [1, 2, 3, 4][1:] }} {{ [1, 2, 3, 4][:2] }} {{ [1, 2, 3, 4][-2:] }} {{ [1, 2, 3, 4][::-1] }} {{ [1, 2, 3, 4][3:0:-2] }} {{ [1, 2, 3][5:] }} {{ (1, 2, 3)[1:] }}",
    "{{ messages[0].missing is defined }} {{ messages[0]['missing'] is defined }} {{ none.x is defined }} {{ messages[7] is defined }} [{{ messages[0].missing }}] {{ messages.0.role }}",
    "{{ {'a': 1}.get('a') }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 2) }} {{ {'a': 1, 'b': 2}.items() | list }} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }} {{ {'items': 3}.items() | list }} {{ {'items': 3}['items'] }}",
    "{% for k, v in {'a': 1, 'b': [2]}.items() %}{{ k }}={{ v }};{% endfor %}{% for k in {'x': 1} %}{{ k }}{% endfor %}{% for c in 'aé' %}<{{ c }}>{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    # Scopes.
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c %}x{{ a }}{% endset %}{{ c }}{% set d | upper %}x{{ a }}{% endset %}{{ d }}{% with e = 5, f = 6 %}{{ e }}{{ f }}{% endwith %}[{{ e }}]",
    "{% set ns = namespace(a=1) %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }} {% set ns.b = 'x' %}{{ ns.b }} {{ ns['a'] }}",
    "{% for i in range(3) %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.changed(i // 2) }} {% endfor %}",
    "{% for i in range(2) %}{% set outer = loop %}{% for j in range(2) %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for i in [] %}x{% else %}empty{% endfor %}{% for i in missing %}x{% else %}empty{% endfor %}",
    "{{ range(3) | list }} {{ range(1, 4) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }}",
    "{% set x = 'outer' %}{% macro m(a, b=x) %}{{ a }}{{ b }}{{ x }}{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}{{ m() }}{{ m(1) | upper }}{{ m(1) ~ '!' }}",
    "{% filter upper %}abc {{ 'é' }}{% endfilter %}{% filter replace('a', 'b') | trim %} aa {% endfilter %}",
    "{% if 0 %}a{% elif 1 %}b{% elif 1 %}c{% else %}d{% endif %}{% if 0 %}a{% elif 0 %}b{% else %}d{% endif %}",
    # Tests.
    "{{ missing is defined }}{{ missing is undefined }}{{ none is none }}{{ 'a' is string }}{{ {} is mapping }}{{ [] is sequence }}{{ 'a' is iterable }}{{ 1 is number }}{{ 1 is integer }}{{ 1.0 is float }}{{ true is boolean }}{{ true is true }}{{ 1 is true }}{{ false is false }}{{ 4 is divisibleby 2 }}{{ 4 is divisibleby(3) }}{{ 1 is eq 1 }}{{ 'a' is in ['a'] }}{{ 'a' is not string }}{{ 3 is gt 2 }}{{ 'ab' is lower }}{{ range is callable }}{{ true is number }}{{ {} is sequence }}{{ 'a' is mapping }}",
    # Filters.
    "{{ ' a b ' | trim }}|{{ 'xxaxx' | trim('x') }}|{{ 'abc' | upper }}{{ 'ABC' | lower }}{{ 'aB cd' | capitalize }}{{ \"hello wORLD it's-a (b\" | title }}",
    "{{ 'abab' | replace('a', 'x') }}{{ 'abab' | replace('a', 'x', 1) }}{{ [1, 2, 3] | join('-') }}{{ ['a', 1] | join }}{{ 'abc' | join(',') }}{{ [1, 2] | first }}{{ [1, 2] | last }}[{{ [] | first }}]{{ 'abc' | first }}{{ 'abc' | last }}{{ 'abc' | length }}{{ {'a': 1} | count }}",
    "{{ missing | default('d') }}{{ '' | default('d') }}{{ '' | default('d', true) }}{{ none | d('x') }}{{ none | d('x', boolean=true) }}{{ missing | default }}",
    "{{ '3' | int }}{{ '3.7' | int }}{{ 'x' | int }}{{ 'x' | int(default=5) }}{{ 3.9 | int }}{{ 'ff' | int(base=16) }}{{ '2.5' | float }}{{ 3 | float }}{{ 'x' | float }}{{ 3 | string }}{{ [1] | string }}{{ true | int }}",
    "{{ 2.5 | round }}{{ 3.14159 | round(2) }}{{ 2.1 | round(method='ceil') }}{{ 2.9 | round(0, 'floor') }}{{ [3, 1, 2] | sort }}{{ ['b', 'A', 'c'] | sort }}{{ ['b', 'A'] | sort(case_sensitive=true) }}{{ [1, 2] | sort(reverse=true) }}{{ [1, 3, 2] | max }}{{ [1, 3, 2] | min }}{{ [1, 2] | sum }}{{ [] | sum }}{{ ['b', 'A', 'a'] | min }}",
    "{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb\n' | indent(2, blank=true) }}|{{ 'a\nb\n' | indent('> ') }}|{{ '' | indent }}",
    "{{ [1, 1, 2, 'a', 'A'] | unique | list }}{{ [1, 2] | reverse | list }}{{ 'abc' | reverse }}{{ {'b': 1, 'a': 2} | dictsort }}{{ {'b': 1, 'a': 2} | dictsort(by='value') }}{{ {'a': 1} | items | list }}{{ 'abc' | list }}{{ {'a': 1} | list }}",
    "{{ [1, 2, 3, 4] | select('odd') | list }}{{ [1, 2, 0] | select | list }}{{ [1, 2] | reject('gt', 1) | list }}{{ ['a', 'b'] | map('upper') | join }}{{ [{'a': {'b': 1}}, {}] | map(attribute='a', default='-') | list }}{{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }}{{ [[1, 2]] | map('join', '+') | list }}",
    "{{ '<a href=\"x\">&\\'' | e }}{{ '<' | safe }}{{ 'x%sy%d' | format('a', 3) }}",
    "{{ none | tojson }}{{ true | tojson }}{{ 1.0 | tojson }}{{ 'a\"b\\\\c\\n\\t/é\\u0001' | tojson }}{{ [] | tojson }}{{ {} | tojson }}{{ [1, {'a': [1, 2]}] | tojson }}{{ (1, 2) | tojson }}{{ {1: 2} | tojson }}\n{{ [1, {'a': [], 'b': [1]}] | tojson(indent=2) }}{{ 'é😀' | tojson(ensure_ascii=true) }}",
    # Methods of strings.
    "{{ ' a '.strip() }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'xya'.strip('xy') }}|{{ 'a,b,c'.split(',') }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}{{ ' a  b '.split() }}{{ ' a b  c '.split(none, 1) }}{{ ' a b c '.rsplit(none, 1) }}{{ ' a b '.split(none, 0) }}{{ ' a b '.rsplit(none, 0) }}{{ ''.split(',') }}{{ ''.split() }}",
    "{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith('bc') }}{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.startswith('b', 1) }}{{ 'abc'.find('c') }}{{ 'abc'.find('x') }}{{ 'abca'.rfind('a') }}{{ 'abca'.count('a') }}{{ 'abc'.index('b') }}{{ 'aXb'.upper() }}{{ 'aXb'.lower() }}{{ 'aXb cD'.title() }}{{ 'aXb cD'.capitalize() }}{{ \"it's\".title() }}",
    "{{ 'abab'.replace('a', 'x') }}{{ 'abab'.replace('a', 'x', 1) }}{{ 'ab'.replace('', '-') }}{{ '-'.join(['a', 'b']) }}{{ 'a\nb\r\nc\n'.splitlines() }}{{ 'a\nb'.splitlines(true) }}{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('c') }}{{ 'a=b=c'.partition('=') }}{{ 'a=b=c'.rpartition('=') }}{{ 'ab'.partition('x') }}",
    "{{ '12'.isdigit() }}{{ 'a1'.isalnum() }}{{ 'ab'.isalpha() }}{{ ' '.isspace() }}{{ ''.isspace() }}{{ 'AB'.isupper() }}{{ 'ab1'.islower() }}{{ '7'.zfill(3) }}{{ '-7'.zfill(3) }}{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3, '.') }}{{ 'a'.center(4, '*') }}{{ 'ab'.center(5, '*') }}{{ '{} {1} {x} {{}}'.format(1, 2, x=3) if 0 else '{0} {1} {x} {{}}'.format(1, 2, x=3) }}{{ '{}-{}'.format('a', none) }}",
    "{{ [1, 2, 1].count(1) }}{{ [1, 2].index(2) }}",
    # Formats.
    "{{ '%s' % 'a' }}{{ '%d%%' % 5 }}{{ '%5d|%-5d|%05d|%+d|% d' % (1, 2, 3, 4, 5) }}{{ '%.2f|%8.3f|%-8.1f|%e' % (1.005, 2.5, 3.14, 12345.678) }}{{ '%x %X %o %#x' % (255, 255, 8, 255) }}{{ '%r %s' % ('a', none) }}{{ '%10s|%-4s|%.2s' % ('ab', 'c', 'defg') }}{{ '%(a)s-%(b)d' % {'a': 'x', 'b': 2} }}{{ '%*d' % (4, 7) }}{{ '%c%c' % ('a', 66) }}{{ '%i %u' % (3.9, 4) }}{{ '%g %g' % (0.5, 100000.0) }}{{ '%s' % [1, 2] }}{{ '%.3d|%06.2f|%s' % (5, -1.5, (1, 2)) }}",
    # What fails.
    "{{ raise_exception('no: ' ~ messages[0].role) }}",
    "{{ missing.x }}",
    "{{ missing['x'] }}",
    "{{ messages[0].missing.x }}",
    "{{ 1 + 'a' }}",
    "{{ 'a' + none }}",
    "{{ 'a' + missing }}",
    "{{ missing() }}",
    "{{ messages[0].nothing() }}",
    "{{ none.strip() }}",
    "{{ 1 / 0 }}",
    "{{ '%d' % 'a' }}",
    "{{ '%s %s' % 'a' }}",
    "{{ '%s' % ('a', 'b') }}",
    "{{ 'abc'.index('x') }}",
    "{{ [].append(1) }}",
    "{{ 1 < 'a' }}",
    "{{ 1 | nothing }}",
    "{% for i in 5 %}{% endfor %}",
    "{% if %}{% endif %}",
    "{% for x in [1] %}",
    "{% endfor %}",
    "{{ 'a }}",
    "{{ (1 }}",
    "{% set x.y = 1 %}",
    "{% nothing %}",
    "{{ range(100001) | list }}",
    "{{ x y }}",
]


def render(template, values):
    try:
        return environment.from_string(template).render(values)
    except Exception:
        return None


def main():
    cases = []
    for name, template in CONVERSATIONS.items():
        for number in range(len(CONTEXTS)):
            text = render(template, CONTEXTS[number])
            cases.append({"template": template, "context": number, "text": text})
    for template in SNIPPETS:
        cases.append({"template": template, "context": 3, "text": render(template, CONTEXTS[3])})
    out = {"now": NOW, "contexts": CONTEXTS, "cases": cases}
    path = pathlib.Path(__file__).with_name("templates.json")
    path.write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")


main()
