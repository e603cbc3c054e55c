defmodule Ambix.Tool.OutsideTest do
  # No tool tells anything of a file outside of the root, by whatever path or link it is asked for, and none writes there.
  use ExUnit.Case, async: true

  alias Ambix.{Error, Index, JSON}
  alias Ambix.Sandbox.Fixture
  alias Ambix.Test.{Needs, Setup, ToolCall}
  alias Ambix.Tool.{Check, Fix, Host, Read, Relations, RunTests, Search}

  @moduletag timeout: 900_000
  @secret "open_sesame"

  # A project with links to what lies beside it: a file, a folder, a broken source and a test.
  setup do
    root = Fixture.create()
    outside = root <> "-outside"
    on_exit(fn -> File.rm_rf!(outside) end)

    Setup.write(outside, %{
      "secret.ex" => "defmodule Secret do\n  def word, do: :#{@secret}\nend\n",
      "broken.ex" => "defmodule Broken do\n  def word, do: #{@secret}(\nend\n",
      "secret_test.exs" =>
        "defmodule SecretTest do\n  use ExUnit.Case\n  test \"#{@secret}\", do: assert :#{@secret} == 1\nend\n"
    })

    for {name, to} <- [
          {"lib/link.ex", "secret.ex"},
          {"lib/folder", ""},
          {"test/link_test.exs", "secret_test.exs"}
        ],
        do: File.ln_s!(Path.join(outside, to), Path.join(root, name))

    {:ok, index} = Index.build(root)
    before = ToolCall.tree(outside)
    {:ok, root: root, outside: outside, host: Host.new(index), before: before}
  end

  # All that is said, without the words of the question itself.
  defp said(tool, arguments, host) do
    case ToolCall.call(tool, arguments, host: host) do
      {:ok, answer} -> answer.text <> JSON.encode!(answer.data)
      {:error, %Error{} = error} -> error.message
    end
  end

  defp diff(path, module),
    do: "--- a/#{path}\n+++ b/#{path}\n@@ -1,1 +1,1 @@\n-defmodule #{module} do\n+defmodule Other do\n"

  defp paths(root, outside) do
    name = Path.basename(outside)

    for path <- [
          "lib/link.ex",
          "lib/folder/secret.ex",
          "lib/folder/broken.ex",
          "test/link_test.exs",
          "../#{name}/secret.ex",
          "lib/../../#{name}/secret.ex",
          "./lib/./../../#{name}/secret_test.exs",
          Path.join(outside, "secret.ex"),
          Path.join(root, "../#{name}/secret.ex"),
          "/etc/passwd"
        ],
        do: path
  end

  test "what is searched, read or asked for relations", %{root: root, outside: outside, host: host} do
    for path <- paths(root, outside),
        {tool, arguments} <- [
          {Search, %{"query" => "word", "paths" => [path], "kind" => "regex"}},
          {Search, %{"query" => "def _", "paths" => [path], "kind" => "pattern"}},
          {Search, %{"query" => "the secret word", "paths" => [path]}},
          {Search, %{"query" => path}},
          {Read, %{"targets" => [path, path <> ":1-3"], "with" => ["callers", "needs"]}},
          {Read, %{"targets" => [path], "detail" => "outline"}},
          {Relations, %{"relation" => "impact", "of" => path}},
          {Relations, %{"relation" => "callers", "of" => path}}
        ] do
      refute said(tool, arguments, host) =~ ~r/#{@secret}|root:/, inspect({tool, arguments})
    end

    for {tool, arguments} <- [
          {Search, %{"query" => "Secret.word/0", "kind" => "name"}},
          {Search, %{"query" => ":open_ses", "kind" => "regex"}},
          {Read, %{"targets" => ["Secret.word/0"]}},
          {Read, %{"targets" => ["Secret"]}}
        ] do
      refute said(tool, arguments, host) =~ @secret
    end
  end

  @tag skip: Needs.sandbox()
  test "what is compiled or tested", %{root: root, outside: outside, host: host, before: before} do
    for path <- paths(root, outside) do
      diff = diff(path, "Secret")

      for change <- [diff, %{path => "defmodule Other do\n"}],
          tool <- [Check, RunTests],
          path not in ["lib/link.ex", "test/link_test.exs"] or is_binary(change) do
        refute said(tool, %{"change" => change}, host) =~ ~r/#{@secret}|root:/, inspect({tool, change})
      end
    end

    # What a link leads to is not there for the sandbox, and its lines are not told.
    refute said(Check, %{}, host) =~ @secret
    refute said(RunTests, %{"tests" => ["test/cart_test.exs"]}, host) =~ @secret

    for link <- ["lib/link.ex", "test/link_test.exs"], do: File.rm!(Path.join(root, link))

    # Were it applied, what the compiler says would be told with the line that it is about.
    assert {:error, %Error{kind: :invalid_argument, message: message}} =
             ToolCall.call(Check, %{"change" => diff("lib/folder/broken.ex", "Broken")}, host: host)

    refute message =~ @secret
    named = ["../" <> Path.basename(outside), Path.join(outside, "secret_test.exs"), "/etc/passwd"]
    assert {:error, %Error{kind: :not_found}} = ToolCall.call(RunTests, %{"tests" => named}, host: host)
    assert ToolCall.tree(outside) == before
  end

  @tag skip: Needs.sandbox()
  test "what is mended", %{root: root, outside: outside, host: host, before: before} do
    target = &%{"target" => &1, "budget" => 5, "apply" => true}
    refute said(Fix, target.("lib/link.ex"), host) =~ @secret
    assert File.read_link!(Path.join(root, "lib/link.ex")) == Path.join(outside, "secret.ex")

    for link <- ["lib/link.ex", "test/link_test.exs"], do: File.rm!(Path.join(root, link))

    for path <- [
          "../#{Path.basename(outside)}/secret_test.exs",
          Path.join(outside, "secret_test.exs"),
          "lib/folder/secret.ex"
        ],
        do: refute(said(Fix, target.(path), host) =~ @secret)

    assert ToolCall.tree(outside) == before
  end
end
