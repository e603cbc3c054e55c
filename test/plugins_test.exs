defmodule Ambix.PluginsTest do
  # The plugin for Claude Code and Codex, and the lists of plugins from which they install it.
  use ExUnit.Case, async: true

  alias Ambix.CLI.ClientConfig
  alias Ambix.{JSON, Tool}
  alias Ambix.Sandbox.Fixture
  alias Ambix.Test.{Needs, Setup}

  @root Path.expand("..", __DIR__)
  @plugin Path.join(@root, "plugins/ambix")

  defp json(path), do: @root |> Path.join(path) |> File.read!() |> JSON.decode!()

  describe "what is installed" do
    test "the manifests have the fields that are asked for, and the version of mix.exs" do
      version = Mix.Project.config()[:version]
      claude = json("plugins/ambix/.claude-plugin/plugin.json")
      codex = json("plugins/ambix/.codex-plugin/plugin.json")

      for manifest <- [claude, codex] do
        assert manifest["name"] =~ ~r/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
        assert manifest["version"] == version
        assert String.length(manifest["description"]) in 50..200
        assert manifest["author"]["name"] != ""
      end

      # Claude Code finds the rest by its place.
      assert Map.keys(claude) -- ~w(name version description author license keywords) == []
      # Hooks are found by their place: what takes a plugin in refuses them in the manifest.
      assert Map.keys(codex) --
               ~w(name version description author license keywords skills mcpServers interface) ==
               []

      for key <- ~w(skills mcpServers), do: assert(File.exists?(Path.join(@plugin, codex[key])))

      for key <- ~w(displayName shortDescription longDescription developerName category),
          do: assert(is_binary(codex["interface"][key]), key)

      prompts = codex["interface"]["defaultPrompt"]
      assert length(prompts) <= 3 and Enum.all?(prompts, &(String.length(&1) <= 128))
    end

    test "both lists name the plugin and lead to it" do
      assert %{"name" => "ambix", "owner" => %{"name" => _}, "plugins" => [entry]} =
               json(".claude-plugin/marketplace.json")

      assert %{"name" => "ambix", "source" => "./plugins/ambix" = source} = entry
      assert File.dir?(Path.join(@root, source))

      assert %{"name" => "ambix", "plugins" => [entry]} = json(".agents/plugins/marketplace.json")

      assert entry == %{
               "name" => "ambix",
               "source" => %{"source" => "local", "path" => "./plugins/ambix"},
               "policy" => %{"installation" => "AVAILABLE", "authentication" => "ON_INSTALL"},
               "category" => "Productivity"
             }
    end

    test "the server is started as mix ambix.install says" do
      assert json("plugins/ambix/.mcp.json") == %{"mcpServers" => %{"ambix" => ClientConfig.entry()}}
    end

    test "the skill has a name and a description, and speaks of every tool" do
      text = File.read!(Path.join(@plugin, "skills/elixir-code/SKILL.md"))
      ["", head, body] = String.split(text, "---\n", parts: 3)
      assert [_, "elixir-code"] = Regex.run(~r/^name: (.+)$/m, head)
      assert [_, description] = Regex.run(~r/^description: (.+)$/m, head)
      assert String.length(description) <= 1024 and not (description =~ ~r/[<>]|: /)
      for module <- Tool.all(), do: assert(body =~ "`#{module.tool().name}`")
      assert Tool.Budget.count(text) < 1_000
    end

    test "the hook is run after edits, for a bounded time" do
      assert %{"hooks" => %{"PostToolUse" => [group]} = hooks} = json("plugins/ambix/hooks/hooks.json")
      assert map_size(hooks) == 1

      assert %{"matcher" => "Edit|Write", "hooks" => [%{"type" => "command", "timeout" => seconds} = hook]} =
               group

      assert hook["command"] == ~S(sh "${CLAUDE_PLUGIN_ROOT}/hooks/check")
      # The task gives up before that, so that nothing has to be killed.
      {:docs_v1, _, _, _, %{"en" => doc}, _, _} = Code.fetch_docs(Mix.Tasks.Ambix.Check)
      assert [_, own] = Regex.run(~r/`--seconds .*By default `(\d+)`/, doc)
      assert String.to_integer(own) + 5 <= seconds
    end
  end

  describe "the hook" do
    @describetag timeout: 300_000

    # As Claude Code runs it: a shell, the event on standard input, and the answer by code and standard error.
    defp hook(root, event, more \\ []) do
      %{"hooks" => %{"PostToolUse" => [%{"hooks" => [%{"command" => command}]}]}} =
        json("plugins/ambix/hooks/hooks.json")

      folder =
        Path.join(System.tmp_dir!(), "ambix-hook-#{System.unique_integer([:positive])}-#{System.pid()}")

      File.mkdir_p!(folder)
      on_exit(fn -> File.rm_rf!(folder) end)
      event = if is_binary(event), do: event, else: JSON.encode!(event)

      for {name, text} <- [{"in", event}, {"out", ""}, {"err", ""}],
          do: File.write!(Path.join(folder, name), text)

      env =
        [
          {"CLAUDE_PROJECT_DIR", root},
          {"CLAUDE_PLUGIN_ROOT", @plugin},
          {"MIX_ENV", nil},
          {"MIX_TARGET", nil},
          {"ELIXIR_ERL_OPTIONS", nil},
          {"HOOK", command},
          {"AT", folder}
        ] ++ more

      script = ~S(eval "$HOOK" <"$AT/in" >"$AT/out" 2>"$AT/err")
      {_, code} = System.cmd("sh", ["-c", script], env: env, cd: System.tmp_dir!())
      {code, File.read!(Path.join(folder, "out")), File.read!(Path.join(folder, "err"))}
    end

    # What Claude Code says of an edit.
    defp edit(path, tool \\ "Edit") do
      %{
        session_id: "abc",
        transcript_path: "/nowhere/transcript.jsonl",
        cwd: Path.dirname(path),
        permission_mode: "default",
        hook_event_name: "PostToolUse",
        tool_name: tool,
        tool_input: %{file_path: path, old_string: "a", new_string: "b"},
        tool_response: %{filePath: path, success: true}
      }
    end

    # A project that has Ambix, compiled.
    defp project(changes \\ %{}) do
      root = Fixture.create(changes)
      lib = Path.join(root, "_build/dev/lib")
      File.mkdir_p!(lib)
      File.ln_s!(Path.join(Mix.Project.build_path(), "lib/ambix"), Path.join(lib, "ambix"))
      root
    end

    defp with_text(root, path, from, to) do
      Setup.write(root, %{path => Fixture.edited(path, from, to)})
      Path.join(root, path)
    end

    @tag skip: Needs.sandbox()
    test "is silent where the edit compiles" do
      root = project()
      path = with_text(root, "lib/cart.ex", "price + quantity", "price * quantity")
      assert hook(root, edit(path)) == {0, "", ""}
      assert hook(root, edit(path, "Write")) == {0, "", ""}
      assert hook(root, edit(Path.join(root, "test/cart_test.exs"))) == {0, "", ""}
    end

    @tag skip: Needs.sandbox()
    test "tells the agent what does not compile, and what the compiler warns of, in few bytes" do
      root = project()
      path = with_text(root, "lib/cart.ex", "price + quantity", "price + missing")
      assert {2, "", said} = hook(root, edit(path))
      assert said =~ ~r"\Aambix check:\nerror lib/cart.ex:\d+"
      assert said =~ "missing"

      # Codex edits by patches.
      patch = "*** Begin Patch\n*** Update File: lib/cart.ex\n@@\n-a\n+b\n*** End Patch\n"
      event = %{cwd: root, tool_name: "apply_patch", tool_input: %{command: patch}}
      assert {2, "", ^said} = hook(root, event)

      # One that only deletes, or moves, leaves those behind that need what is gone.
      calling = Fixture.edited("lib/cart.ex", "x * 2", "Tiny.Twice.twice(x)")

      Setup.write(root, %{
        "lib/cart.ex" => calling,
        "lib/two.ex" => "defmodule Tiny.Twice do\n  def twice(x), do: x * 2\nend\n"
      })

      delete = &put_in(event.tool_input.command, "*** Begin Patch\n*** Delete File: #{&1}\n*** End Patch\n")
      assert hook(root, delete.("lib/gone.ex")) == {0, "", ""}
      File.rm!(Path.join(root, "lib/two.ex"))
      assert {2, "", said} = hook(root, delete.("lib/two.ex"))
      assert said =~ "warning lib/cart.ex" and said =~ "Tiny.Twice.twice/1"
      assert hook(root, delete.("../two.ex")) == {0, "", ""}
      macros = Path.join(root, "lib/macros.ex")
      before = File.read!(macros)
      File.rm!(macros)
      assert {2, "", said} = hook(root, delete.("test/gone_test.exs"))
      assert said =~ "error test/other_test.exs" and said =~ "Tiny.Macros"
      File.write!(macros, before)

      path = with_text(root, "lib/cart.ex", "x * 2", "Nowhere.twice(x)")
      assert {2, "", said} = hook(root, edit(path))
      assert said =~ "warning lib/cart.ex" and said =~ "Nowhere.twice/1"
      # Of another file only what does not compile is told.
      assert hook(root, edit(Path.join(root, "lib/counter.ex"))) == {0, "", ""}

      many = for n <- 1..300, into: "", do: "  def f#{n}(a), do: missing_#{n}(a)\n"
      Setup.write(root, %{"lib/many.ex" => "defmodule Many do\n#{many}end\n"})
      assert {2, "", said} = hook(root, edit(Path.join(root, "lib/many.ex")))
      assert said =~ "missing_1" and byte_size(said) <= 4_100
    end

    test "says what is no Elixir without a sandbox, and without running anything" do
      root = project(%{"mix.exs" => "File.write!(\"ran\", \"\")\n"})
      path = Path.join(root, "lib/cart.ex")
      File.write!(path, "defmodule Cart do\n  def add(a, do: a\nend\n")
      assert {2, "", said} = hook(root, edit(path), [{"PATH", without_bubblewrap()}])
      assert said =~ ~r"\Alib/cart.ex:\d+: .*(terminator|reserved word)"
      refute File.exists?(Path.join(root, "ran"))
    end

    test "finds Elixir behind the program of a version manager" do
      root = project()
      path = Path.join(root, "lib/cart.ex")
      File.write!(path, "defmodule Cart do\n  def add(a, do: a\nend\n")
      folder = without_bubblewrap()
      elixir = Path.join(folder, "elixir")
      {:ok, program} = File.read_link(elixir)
      File.rm!(elixir)
      File.write!(elixir, "#!/bin/sh\nexec '#{program}' \"$@\"\n")
      File.chmod!(elixir, 0o755)
      assert {2, "", "lib/cart.ex:" <> _} = hook(root, edit(path), [{"PATH", folder}])
    end

    test "is silent where it has nothing to say, or cannot know" do
      root = project()
      File.write!(Path.join(root, "notes.md"), "# (((\n")

      for event <- [
            edit(Path.join(root, "notes.md")),
            edit("/etc/hosts"),
            %{},
            "{\"tool_input\": {\"file_path\": "
          ],
          do: assert(hook(root, event) == {0, "", ""}, inspect(event))
    end

    @tag skip: Needs.sandbox()
    test "sees dependencies by path outside of the project that its configuration allows" do
      mix = fn app, deps ->
        "defmodule #{app}.MixProject do\n  use Mix.Project\n  def project, do: [app: :#{Macro.underscore(app)}, version: \"1.0.0\", deps: [#{deps}]]\nend\n"
      end

      only = %{"lib/counter.ex" => nil, "lib/application.ex" => nil, "lib/macros.ex" => nil}

      near =
        Fixture.create(
          Map.merge(only, %{"mix.exs" => mix.("Near", ""), "lib/cart.ex" => "defmodule Near do\nend\n"})
        )

      cart = "defmodule Cart do\n  def one, do: missing(Near)\nend\n"
      beside = "../#{Path.basename(near)}"

      root =
        project(
          Map.merge(only, %{"mix.exs" => mix.("Tiny", ~s({:near, path: "#{beside}"})), "lib/cart.ex" => cart})
        )

      event = edit(Path.join(root, "lib/cart.ex"))
      assert hook(root, event) == {0, "", ""}

      Setup.write(root, %{"config/dev.exs" => "import Config\nconfig :ambix, allow_paths: [\"#{beside}\"]\n"})
      assert {2, "", said} = hook(root, event)
      assert said =~ "missing"
    end

    test "harms nothing where the project has no Ambix, or there is no project" do
      bare = Fixture.create(%{"lib/cart.ex" => "((("})
      assert hook(bare, edit(Path.join(bare, "lib/cart.ex"))) == {0, "", ""}
      assert hook("/nowhere", edit("/nowhere/lib/a.ex")) == {0, "", ""}

      # What is compiled is no longer whole.
      ebin = Path.join(bare, "_build/dev/lib/ambix/ebin")
      File.mkdir_p!(ebin)
      assert hook(bare, edit(Path.join(bare, "lib/cart.ex"))) == {0, "", ""}

      root = project(%{"mix.exs" => "raise \"no project\"\n"})
      assert {0, "", ""} = hook(root, edit(Path.join(root, "lib/cart.ex")), [{"PATH", without_bubblewrap()}])
    end

    @tag skip: Needs.sandbox()
    test "gives up after its time, and leaves no sandbox" do
      root = project(%{"lib/slow.ex" => "defmodule Slow do\n  Process.sleep(:infinity)\nend\n"})
      event = JSON.encode!(edit(Path.join(root, "lib/cart.ex")))
      ebin = Path.join(Mix.Project.build_path(), "lib/ambix/ebin")
      code = ~s|Mix.Tasks.Ambix.Check.run(["--hook", "--seconds", "3"])|
      script = ~s(printf '%s' "$EVENT" | elixir -pa '#{ebin}' -e '#{code}')
      env = [{"EVENT", event}, {"MIX_ENV", nil}]

      {microseconds, result} =
        :timer.tc(fn -> System.cmd("sh", ["-c", script], cd: root, env: env, stderr_to_stdout: true) end)

      assert result == {"", 0}
      # What is compiled never ends.
      assert microseconds < 60_000_000
      Ambix.Test.Wait.wait_until(fn -> Ambix.Test.Wait.processes(root) == [] end)
    end

    test "gives up after its time whatever the event names" do
      root = project()

      File.write!(
        Path.join(root, "lib/large.ex"),
        String.duplicate("# as long as a generated file\n", 30_000)
      )

      patch = "*** Begin Patch\n" <> String.duplicate("*** Update File: lib/large.ex\n", 50_000)
      event = Path.join(root, "event")
      File.write!(event, JSON.encode!(%{cwd: root, tool_input: %{command: patch}}))
      ebin = Path.join(Mix.Project.build_path(), "lib/ambix/ebin")
      code = ~s|Mix.Tasks.Ambix.Check.run(["--hook", "--seconds", "1"])|
      script = ~s(timeout -s KILL 30 elixir -pa '#{ebin}' -e '#{code}' <'#{event}')
      env = [{"MIX_ENV", nil}, {"PATH", without_bubblewrap()}]
      assert System.cmd("sh", ["-c", script], cd: root, env: env, stderr_to_stdout: true) == {"", 0}
    end

    # All programs but the one that makes sandboxes.
    defp without_bubblewrap do
      folder =
        Path.join(System.tmp_dir!(), "ambix-path-#{System.unique_integer([:positive])}-#{System.pid()}")

      File.mkdir_p!(folder)
      on_exit(fn -> File.rm_rf!(folder) end)

      for name <-
            ~w(sh elixir erl bash env dirname basename readlink uname sed cat rm kill sleep timeout mkdir),
          program = System.find_executable(name),
          do: File.ln_s!(program, Path.join(folder, name))

      folder
    end
  end
end
