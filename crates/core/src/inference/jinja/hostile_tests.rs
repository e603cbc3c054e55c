//! Templates that want to take the host's memory or time.

use std::rc::Rc;

use super::{RenderBudget, Template, Value, render};
use crate::allocated::most_held;
use crate::job::Cancel;
use crate::{ErrorKind, Result};

const MEMORY: usize = 16 << 20;
const WORK: u64 = 2_000_000;

/// Each ends with an error of the kind, whatever it tries.
fn programs() -> Vec<(String, ErrorKind)> {
    let limit = |source: &str| (source.to_owned(), ErrorKind::Limit);
    let fault = |source: String| (source, ErrorKind::Model);
    let grow = |step: &str| {
        let source = format!(
            "{{% set ns = namespace(x='ab', l=[1], d={{}}) %}}{{% for i in range(99999) %}}{step}{{% endfor %}}{{{{ ns.x }}}}"
        );
        (source, ErrorKind::Limit)
    };
    let text = |step: &str| grow(&format!("{{% set ns.x = {step} %}}"));
    let list = |step: &str| grow(&format!("{{% set ns.l = {step} %}}"));
    vec![
        // One step that asks for much.
        limit("{{ \"a\nb\" | indent(1000000000000) }}"),
        limit("{{ 'x' * 1000000000000 }}"),
        limit("{{ 1000000000000 * 'x' }}"),
        limit("{{ [1] * 1000000000000 }}"),
        limit("{{ '%1000000000d' % 1 }}"),
        limit("{{ '%01000000000d' % 1 }}"),
        limit("{{ '%.1000000000d' % 1 }}"),
        limit("{{ '%-1000000000s' % 'x' }}"),
        limit("{{ '%*d' % (9223372036854775807, 1) }}"),
        limit("{{ '%*d' | format(-9223372036854775807, 1) }}"),
        limit("{{ 'x'.ljust(9223372036854775807) }}"),
        limit("{{ 'x'.rjust(1000000000000) }}"),
        limit("{{ 'x'.center(1000000000000, 'abc') }}"),
        limit("{{ '7'.zfill(1000000000000) }}"),
        limit("{{ [[1]] | tojson(indent=1000000000000) }}"),
        limit("{{ ('x' * 1000000).replace('', 'y' * 100000) }}"),
        limit("{{ ('a' * 4000) | replace('a', 'b' * 400000) }}"),
        limit("{{ ('x' * 1000000).split('x') }}"),
        limit("{{ ('x ' * 1000000).split() | length }}"),
        limit("{{ ('\\n' * 3000000).splitlines() | length }}"),
        limit("{{ ('x' * 3000000) | list | length }}"),
        limit("{{ ('x' * 3000000) | reverse | list }}"),
        limit("{{ ('x' * 100000) | join('y' * 100000) }}"),
        limit("{{ ('y' * 100000).join(('x' * 100000) | list) }}"),
        limit("{{ ('x' * 9000000).strip('y' * 9000000) }}"),
        limit("{{ ('x' * 3000000)[::-1] }}"),
        fault("{{ range(1000000000000) }}".into()),
        fault("{{ range(-9223372036854775807, 9223372036854775807, 1) }}".into()),
        fault("{{ 9223372036854775807 * 9223372036854775807 }}".into()),
        fault("{{ 10 ** 100000000 }}".into()),
        fault("{{ 99999999999999999999 }}".into()),
        fault("{{ -9223372036854775807 - 2 }}".into()),
        fault("{{ '%.1000f' % 1.5 }}".into()),
        // Texts and lists that double.
        text("ns.x ~ ns.x"),
        text("ns.x + ns.x"),
        text("ns.x * 2"),
        text("[ns.x, ns.x] | join(ns.x)"),
        text("ns.x.join([ns.x, ns.x, ns.x])"),
        text("ns.x | replace('a', ns.x)"),
        text("ns.x.replace('b', ns.x ~ 'b')"),
        text("'%s%s' % (ns.x, ns.x)"),
        text("'%s%s' | format(ns.x, ns.x)"),
        text("'{0}{0}'.format(ns.x)"),
        text("ns.x ~ (ns.x | upper) ~ (ns.x | title)"),
        text("(ns.x ~ '\\n' ~ ns.x) | indent(ns.x | length)"),
        text("[ns.x, ns.x] | tojson"),
        text("[ns.x, ns.x] | string"),
        text("'<' ~ ns.x | e ~ ns.x"),
        text("'ß' ~ (ns.x ~ 'ß') | upper ~ ns.x"),
        text("ns.x.center(2 * ns.x | length)"),
        list("ns.l + ns.l"),
        list("ns.l * 2"),
        list("[ns.l] | map('tojson') | list + ns.l"),
        list("(ns.l ~ ns.l) | list"),
        list("ns.l + (ns.l | map('string') | list)"),
        list("[ns.l[:], ns.l[:]] | sum(start=[])"),
        grow("{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
        grow("{% set ns.x | indent(i) %}{{ ns.x }}\n{{ ns.x }}{% endset %}"),
        grow("{% set ns = namespace(x=ns.x ~ 'abcdefgh' * 99) %}{% set ns.y = namespace(x=1) %}"),
        grow("{{ 'abcdefgh' * 999 }}"),
        grow("{{ messages }}{{ messages | tojson(indent=99) }}"),
        // Much work and no memory.
        limit("{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}"),
        limit("{% set x = 'a' * 1000000 %}{% for a in range(99999) %}{% if x ~ 'b' == x ~ 'c' %}{% endif %}{% endfor %}"),
        limit("{% set x = 'a' * 1000000 %}{% for a in range(99999) %}{% if 'b' in x %}{% endif %}{% endfor %}"),
        limit("{% set x = 'a' * 1000000 %}{% for a in range(99999) %}{% if x[-1] == x.strip() %}{% endif %}{% endfor %}"),
        limit("{% set x = 'a' * 1000000 %}{% for a in range(99999) %}{% if x | int %}{% endif %}{% endfor %}"),
        limit("{% set x = range(99999) | list %}{% for a in x %}{% if -1 in x %}{% endif %}{% endfor %}"),
        limit("{{ range(99999) | map('string') | unique | list | length }}"),
        limit("{% for a in range(99999) %}{% set x = range(99999) | sort %}{% endfor %}"),
        limit("{% for a in range(99999) %}{% for b in '' * 9999999999 %}{% endfor %}{% set y = [] * 99999999999 %}{% set x = range(99999) %}{% endfor %}"),
        limit("{% set ns = namespace(x=[1]) %}{% for a in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == ns.x }}"),
        limit("{% set ns = namespace(x=[1]) %}{% for a in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson | length }}"),
        limit("{% macro m(n) %}{% for i in range(9) %}{{ m(n + 1) if n < 9 }}{% endfor %}{% endmacro %}{{ m(0) }}"),
        // Nesting.
        fault("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".into()),
        fault("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() | upper }}{% endmacro %}{{ a() }}".into()),
        fault("{% set ns = namespace(x=1) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}".into()),
        fault("{% set ns = namespace(x=1) %}{% for i in range(999) %}{% set ns.x = {'a': ns.x} %}{% endfor %}{{ ns.x }}".into()),
        fault("{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x }}".into()),
        fault(format!("{{{{ ['a'] | map({}) | list }}}}", "'map', ".repeat(9999) + "'upper'")),
        fault(format!("{{{{ {}1 }}}}", "(".repeat(60_000))),
        fault(format!("{{{{ {}1 }}}}", "[".repeat(60_000))),
        fault(format!("{{{{ {}1 }}}}", "{1:".repeat(20_000))),
        fault(format!("{{{{ {}1 }}}}", "-".repeat(60_000))),
        fault(format!("{{{{ {}1 }}}}", "not ".repeat(15_000))),
        fault(format!("{{{{ {}1 }}}}", "a if b else ".repeat(5_000))),
        fault(format!("{{{{ {}1 }}}}", "a(".repeat(30_000))),
        fault(format!("{{{{ a{} }}}}", "[a".repeat(30_000))),
        fault(format!("{{{{ a{} }}}}", "|default(a".repeat(5_000))),
        fault(format!("{{% set {}x = 1 %}}", "(".repeat(60_000))),
        fault("{% if true %}".repeat(5_000)),
        fault("{% for a in b %}".repeat(4_000)),
        fault("{% macro a() %}".repeat(4_000)),
        fault("{% filter upper %}".repeat(3_000)),
        fault("{#".repeat(30_000)),
        fault("{% raw %}".repeat(7_000)),
        fault("x".repeat(70_000)),
    ]
}

fn run(source: &str, cancel: &Cancel) -> Result<String> {
    let template = Template::new(source)?;
    let budget = RenderBudget::new(MEMORY, WORK, cancel);
    let content = Value::text(&budget, "Hi", true)?;
    let message = Value::map(&budget, vec![(Value::text(&budget, "content", false)?, content)])?;
    let messages = Value::list(&budget, vec![message])?;
    Ok(render(&template, &budget, vec![("messages", messages)], Some(0))?.into_parts().0)
}

/// On a stack as small as the BEAM gives to native code.
#[test]
fn no_template_takes_more_than_its_budget() {
    let check = || {
        let mut wrong = Vec::new();
        for (source, kind) in programs() {
            let begun = processor_seconds();
            let (result, held) = most_held(|| run(&source, &Cancel::new()));
            let seconds = processor_seconds() - begun;
            let head: String = source.chars().take(160).collect();
            match result {
                Err(error) if error.kind() == kind => {}
                Err(error) => wrong.push(format!("{head}\n  {error}")),
                Ok(text) => wrong.push(format!("{head}\n  renders {} bytes", text.len())),
            }
            // Without optimisation everything takes several times as long.
            if seconds > if cfg!(debug_assertions) { 20.0 } else { 1.0 } || held > 3 * MEMORY {
                wrong.push(format!("{head}\n  took {seconds} s and {} MiB", held >> 20));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    };
    std::thread::Builder::new().stack_size(320 * 1024).spawn(check).unwrap().join().unwrap();
}

/// Long, and no more than that.
#[test]
fn long_templates_that_do_not_nest_are_run() {
    let rendered = |source: &str| run(source, &Cancel::new()).unwrap();
    assert_eq!(rendered(&format!("{{{{ 1{} }}}}", "+1".repeat(30_000))), "30001");
    assert_eq!(rendered(&format!("{{{{ ''{} }}}}", "~'a'".repeat(9_000))).len(), 9_000);
    assert_eq!(rendered(&format!("{{{{ 'a'{} }}}}", "|trim".repeat(9_000))), "a");
    assert_eq!(rendered(&format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(4_000))), "");
    assert_eq!(rendered(&format!("{{{{ true{} }}}}", " and true".repeat(5_000))), "True");
}

#[test]
fn rendering_stops_when_it_is_told_to() {
    let cancel = Cancel::new();
    cancel.cancel();
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    assert_eq!(run(endless, &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
    let late = Cancel::new().with_deadline(std::time::Instant::now());
    assert_eq!(run(endless, &late).unwrap_err().kind(), ErrorKind::Timeout);
}

/// What a value took comes back, so that a long conversation is not one that takes much memory.
#[test]
fn memory_that_is_free_again_can_be_taken_again() {
    let source = "{% for i in range(200) %}{% set x = 'abcdefgh' * 100000 %}{% endfor %}{{ x is defined }}";
    assert_eq!(run(source, &Cancel::new()).unwrap_err().kind(), ErrorKind::Limit);
    let template = Template::new(source).unwrap();
    let budget: Rc<RenderBudget> = RenderBudget::new(MEMORY, 1 << 40, &Cancel::new());
    assert_eq!(render(&template, &budget, Vec::new(), None).unwrap().as_str(), "False");
}

/// The time that this thread has computed.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}
