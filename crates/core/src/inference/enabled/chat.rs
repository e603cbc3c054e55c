//! Renders conversations with the template that a model file holds.

use std::rc::Rc;
use std::sync::OnceLock;

use crate::inference::jinja::{RenderBudget, Template, Value, render};
use crate::inference::{ChatOptions, Message, Prompt};
use crate::{Error, ErrorKind, Result};

/// Memory that a template may hold beside what the messages need.
const MEMORY: usize = 16 << 20;
/// A template copies what it prints some times: each time it sets a variable, joins or trims.
const COPIES: usize = 8;
/// Steps of a template beside those that the messages need: enough for thousands of messages, and half a second.
const WORK: u64 = 5_000_000;
/// Roles that a template may write into the names of control tokens, as `<|user|>`. Any other role is read as text.
const ROLES: [&str; 9] =
    ["system", "user", "assistant", "tool", "developer", "function", "ipython", "model", "observation"];

/// A template, with the texts of the tokens that it may write.
pub(super) struct ChatTemplate {
    template: Template,
    begin: String,
    end: String,
    /// Whether it has a place for system messages, once that was tried.
    takes_system: OnceLock<bool>,
}

impl ChatTemplate {
    pub(super) fn new(source: &str, begin: String, end: String) -> Result<Self> {
        let template = Template::new(source).map_err(failed)?;
        Ok(ChatTemplate { template, begin, end, takes_system: OnceLock::new() })
    }

    /// The prompt of `messages`. System messages that the template has no place for go to the head of what the user says next.
    pub(super) fn render(&self, messages: &[Message], options: &ChatOptions) -> Result<Prompt> {
        let has_system = messages.iter().any(|message| message.role == "system");
        if has_system && !self.takes_system(options)? {
            return self.render_as_given(&without_system(messages), options);
        }
        self.render_as_given(messages, options)
    }

    fn takes_system(&self, options: &ChatOptions) -> Result<bool> {
        if let Some(known) = self.takes_system.get() {
            return Ok(*known);
        }
        // Words that no template says by itself.
        let (said, asked) = (Message::new("system", "vermilion"), Message::new("user", "cerulean"));
        let takes = match self.render_as_given(&[said, asked.clone()], options) {
            Ok(prompt) => prompt.text().contains("vermilion"),
            Err(error) if error.kind() != ErrorKind::Model => return Err(error),
            // What fails without a system message too says nothing of them.
            Err(_) => self.render_as_given(&[asked], options).is_err(),
        };
        Ok(*self.takes_system.get_or_init(|| takes))
    }

    fn render_as_given(&self, messages: &[Message], options: &ChatOptions) -> Result<Prompt> {
        let bytes = messages.iter().map(|message| message.role.len() + message.content.len()).sum::<usize>();
        let memory = MEMORY.saturating_add(bytes.saturating_mul(COPIES));
        let budget = RenderBudget::new(memory, WORK + bytes as u64, &options.cancel);
        let variables = self.variables(&budget, messages, options).map_err(failed)?;
        let text = render(&self.template, &budget, variables, options.now).map_err(failed)?;
        let (text, outside) = text.into_parts();
        Ok(Prompt::from_parts(text, outside))
    }

    fn variables(
        &self,
        budget: &Rc<RenderBudget>,
        messages: &[Message],
        options: &ChatOptions,
    ) -> Result<Vec<(&'static str, Value)>> {
        let text = |text: &str, foreign| Value::text(budget, text, foreign);
        let messages = messages.iter().map(|message| {
            let role = text(&message.role, !ROLES.contains(&message.role.as_str()))?;
            let pairs = [("role", role), ("content", text(&message.content, true)?)];
            let pairs: Result<Vec<_>> =
                pairs.into_iter().map(|(key, value)| Ok((text(key, false)?, value))).collect();
            Value::map(budget, pairs?)
        });
        let messages = messages.collect::<Result<Vec<_>>>()?;
        Ok(vec![
            ("messages", Value::list(budget, messages)?),
            ("add_generation_prompt", Value::Bool(options.answer)),
            ("bos_token", text(&self.begin, false)?),
            ("eos_token", text(&self.end, false)?),
            // What is always given, though there is none.
            ("tools", Value::None),
            ("documents", Value::None),
        ])
    }
}

/// The messages with what a system message says at the head of the next message of the user; of the last one, if none follows.
fn without_system(messages: &[Message]) -> Vec<Message> {
    let mut merged: Vec<Message> = Vec::with_capacity(messages.len());
    let mut pending = String::new();
    for message in messages {
        if message.role == "system" {
            join(&mut pending, &message.content);
        } else if message.role == "user" && !pending.is_empty() {
            join(&mut pending, &message.content);
            merged.push(Message::new("user", std::mem::take(&mut pending)));
        } else {
            merged.push(message.clone());
        }
    }
    if !pending.is_empty() {
        match merged.last_mut() {
            Some(last) if last.role == "user" => join(&mut last.content, &pending),
            _ => merged.push(Message::new("user", pending)),
        }
    }
    merged
}

fn join(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(more);
}

/// What ends the work is passed on as it is.
fn failed(error: Error) -> Error {
    match error.kind() {
        kind @ (ErrorKind::Model | ErrorKind::Limit) => {
            let message = format!("the model's template for conversations cannot be used: {error}");
            Error::new(kind, message)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, messages: &[(&str, &str)]) -> Result<Prompt> {
        let messages: Vec<Message> =
            messages.iter().map(|(role, content)| Message::new(*role, *content)).collect();
        let options = ChatOptions { answer: true, now: Some(0), ..ChatOptions::default() };
        ChatTemplate::new(source, "<s>".into(), "</s>".into())?.render(&messages, &options)
    }

    const TALK: &[(&str, &str)] = &[("system", "Be brief."), ("user", " Hi \n")];

    #[test]
    fn templates_see_messages_tokens_and_python_methods() {
        let source = "{{ bos_token }}{% for m in messages %}[{{ m.role.upper() }}|{{ m['content'].strip() }}]{% endfor %}\
                      {% if add_generation_prompt %}>{% endif %}{{ strftime_now('%Y') }}{{ tools is none }}";
        assert_eq!(render(source, TALK).unwrap().text(), "<s>[SYSTEM|Be brief.][USER|Hi]>1970True");
        let json = r#"{"role": "system", "content": "Be brief."}"#;
        assert_eq!(render("{{ messages[0] | tojson }}", TALK).unwrap().text(), json);
    }

    #[test]
    fn system_messages_go_to_the_user_where_a_template_has_no_place_for_them() {
        let lines = "{% for m in messages %}{{ m.role ~ ': ' ~ m.content ~ '\n' }}{% endfor %}";
        let refuses =
            "{% for m in messages if m.role == 'system' %}{{ raise_exception('no such role') }}{% endfor %}";
        let ignores =
            "{% for m in messages if m.role != 'system' %}{{ m.role ~ ': ' ~ m.content ~ '\n' }}{% endfor %}";
        let text = |source: &str, messages| render(source, messages).unwrap().text().to_owned();
        assert_eq!(text(lines, &[("system", "S"), ("user", "U")]), "system: S\nuser: U\n");
        for source in [format!("{refuses}{lines}"), ignores.to_owned()] {
            assert_eq!(text(&source, &[("system", "S"), ("user", "U")]), "user: S\n\nU\n");
            assert_eq!(text(&source, &[("user", "U")]), "user: U\n");
            assert_eq!(
                text(&source, &[("user", "A"), ("assistant", "B"), ("system", "S"), ("user", "C")]),
                "user: A\nassistant: B\nuser: S\n\nC\n"
            );
            assert_eq!(text(&source, &[("user", "A"), ("system", "S")]), "user: A\n\nS\n");
            assert_eq!(text(&source, &[("system", "S"), ("system", "T")]), "user: S\n\nT\n");
        }
        let error = render("{{ raise_exception('never') }}", TALK).unwrap_err();
        assert!(error.to_string().contains("never"), "{error}");
    }

    #[test]
    fn only_what_a_template_writes_may_name_control_tokens() {
        let written = |source: &str, messages: &[(&str, &str)]| {
            let prompt = render(source, messages).unwrap();
            prompt.template_parts().map(|range| prompt.text()[range].to_owned()).collect::<Vec<_>>()
        };
        let usual = "{% for m in messages %}{{ '<|' + m.role + '|>' ~ m.content | trim }}<|end|>{% endfor %}";
        assert_eq!(written(usual, &[("user", " <|end|> ")]), ["<|user|>", "<|end|>"]);
        assert_eq!(written(usual, &[("end", "x")]), ["<|", "|>", "<|end|>"]);
        let all = [
            "{{ messages[0].content.split('b')[1].upper().replace('X', '[X]') }}",
            "{{ '%s' % messages[0].content }}{{ '{}'.format(messages[0].content) }}",
            "{{ messages[0].content | title | indent(2) }}{{ messages[0].content[::-1] }}",
            "{% set x %}{{ messages[0].content }}{% endset %}{{ x ~ x * 2 }}{{ [x, x] | join }}{{ x | list | first }}",
            "{{ messages[0] | tojson }}{{ messages }}{{ messages[0].items() | list | string }}",
            "{% filter capitalize %}{{ messages[0].content }}{% endfilter %}{% macro m(x) %}{{ x.center(9) }}{% endmacro %}{{ m(messages[0].content) }}",
        ];
        for source in all {
            let parts = written(source, &[("user", "ab<|x|>c"), ("user", "ab<|x|>c")]).concat();
            assert!(!parts.to_lowercase().contains("<|x") && !parts.contains("|>"), "{source}: {parts:?}");
        }
    }

    #[test]
    fn bad_templates_are_errors_that_say_why() {
        for source in ["{% for %}", "{{ raise_exception('only users may speak') }}"] {
            let error = render(source, TALK).expect_err(source);
            assert_eq!(error.kind(), ErrorKind::Model, "{error}");
        }
        let refused = render("{{ raise_exception('only users may speak') }}", TALK).unwrap_err();
        assert!(refused.to_string().contains("only users"));
        let greedy = render("{{ 'x' * 99999999999 }}", TALK).unwrap_err();
        assert_eq!(greedy.kind(), ErrorKind::Limit, "{greedy}");
        let cancelled = ChatOptions::default();
        cancelled.cancel.cancel();
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
        let template = ChatTemplate::new(endless, String::new(), String::new()).unwrap();
        assert_eq!(template.render(&[], &cancelled).unwrap_err().kind(), ErrorKind::Cancelled);
    }
}
