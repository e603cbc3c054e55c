defmodule Ambix.CLI.ArgsTest do
  use ExUnit.Case, async: true

  alias Ambix.CLI.Args

  @schema Args.common([:root, :json]) ++
            [
              limit: [type: :pos_integer, default: 10, arg: "N", doc: "The most results."],
              mode: [type: {:in, [:lexical, :hybrid]}, default: :hybrid, arg: "MODE", doc: "How."],
              out: [type: :string, required: false, arg: "FILE", doc: "Where to write."],
              max_bytes: [type: :pos_integer, arg: "N", doc: "A size."]
            ]

  test "switches, their defaults and the rest" do
    assert {:ok, ["a", "b"], opts} = Args.parse(~w(a --limit 3 b --mode lexical --max-bytes 7), @schema)

    assert opts == [root: ".", json: false, limit: 3, mode: :lexical, max_bytes: 7]
  end

  test "what follows -- is no switch" do
    assert {:ok, ["--limit"], _} = Args.parse(~w(-- --limit), @schema)
  end

  test "--help is asked for" do
    assert Args.parse(~w(x --help), @schema) == :help
  end

  for {argv, sentence} <- [
        {~w(--limti 3),
         "unknown option --limti, did you mean --limit? (valid options: --root, --json, --limit, --mode, --out, --max-bytes)"},
        {~w(-x), "unknown option -x (valid options: --root, --json, --limit, --mode, --out, --max-bytes)"},
        {~w(--limit), "--limit expects a value: a positive integer"},
        {~w(--limit many), ~s(--limit expects a positive integer, got "many")},
        {~w(--limit 0), "expected --limit to be a positive integer, got: 0"},
        {~w(--max-bytes -1), "expected --max-bytes to be a positive integer, got: -1"},
        {~w(--mode lexcal), ~s(--mode expects one of lexical, hybrid, got "lexcal", did you mean lexical?)},
        {~w(--json=3), ~s(--json expects no value, got "3")}
      ] do
    test "#{Enum.join(argv, " ")} gives a sentence" do
      assert {:error, %Ambix.Error{kind: :invalid_argument, message: message}} =
               Args.parse(unquote(argv), @schema)

      assert message == unquote(sentence)
    end
  end

  test "the documentation is written as on a command line" do
    docs = Args.docs(@schema)
    assert docs =~ "* `--limit N`: The most results. By default `10`."
    assert docs =~ "* `--mode MODE`: How. One of `lexical`, `hybrid`. By default `hybrid`."
    assert docs =~ "* `--max-bytes N`: A size."
    assert docs =~ "* `--json`: Print one line of JSON."
  end
end
