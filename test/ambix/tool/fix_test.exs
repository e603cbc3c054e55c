defmodule Ambix.Tool.FixTest do
  use ExUnit.Case, async: true

  import Ambix.Test.ToolCall, only: [call: 3, tree: 1]
  import Ambix.Test.Wait

  alias Ambix.Error
  alias Ambix.Sandbox.Fixture
  alias Ambix.Tool.{Check, Fix, RunTests}

  @moduletag timeout: 900_000

  defp fix(root, arguments, opts \\ []), do: call(Fix, arguments, [host: %{root: root, index: nil}] ++ opts)

  test "of the tools only this one may write, and a client is told so" do
    effects = for module <- Ambix.Tool.all(), do: {module, module.tool().effect}
    assert for({module, :write} <- effects, do: module) == [Fix]

    [fix] =
      for %{"name" => "fix"} = tool <- Ambix.MCP.ToolModules.list(%{modules: [Fix], host: nil, budget: 1}),
          do: tool

    assert %{"readOnlyHint" => false, "destructiveHint" => true} = fix["annotations"]
  end

  test "finds a patch, tells how it gets on, and writes only when it is told to" do
    root = Fixture.create()
    before = tree(root)
    me = self()
    arguments = %{"budget" => 600}
    assert {:ok, %{data: data, text: text}} = fix(root, arguments, progress: &send(me, {:progress, &1}))
    assert tree(root) == before
    assert %{status: :mended, applied: false, files: ["lib/cart.ex"], failing: 1} = data
    assert text =~ "nothing written\n--- a/lib/cart.ex\n+++ b/lib/cart.ex\n"
    assert_received {:progress, %{phase: :failing, done: 1}}
    assert_received {:progress, %{phase: :trying, done: 1, total: nil}}

    # git takes the patch.
    copy = root <> "-copy"
    on_exit(fn -> File.rm_rf!(copy) end)
    File.cp_r!(root, copy)
    File.write!(Path.join(copy, "it.patch"), data.diff)
    assert {"", 0} = System.cmd("git", ~w(apply it.patch), cd: copy, stderr_to_stdout: true)
    patched = File.read!(Path.join(copy, "lib/cart.ex"))

    for budget <- [1, 40] do
      assert {:ok, %{data: %{diff: "---" <> _}, truncated: true}} = fix(root, arguments, budget: budget)
    end

    assert tree(root) == before

    assert {:ok, %{data: %{status: :mended, applied: true}, text: text}} =
             fix(root, Map.put(arguments, "apply", true))

    assert text =~ "written to lib/cart.ex"
    assert File.read!(Path.join(root, "lib/cart.ex")) == patched
    assert {:ok, %{data: %{status: :nothing_failing, diff: "", applied: false}}} = fix(root, arguments)
  end

  test "what it cannot mend it says, with what was tried" do
    impossible =
      "defmodule ImpossibleTest do\n  use ExUnit.Case\n  test \"it\", do: assert Tiny.Cart.double(1) == 3 and Tiny.Cart.double(2) == 90\nend\n"

    root = Fixture.create(%{"test/cart_test.exs" => nil, "test/impossible_test.exs" => impossible})
    before = tree(root)
    assert {:ok, %{data: data, text: text}} = fix(root, %{"budget" => 10, "apply" => true})
    assert %{status: :none, applied: false, diff: ""} = data
    assert text =~ "not mended: "
    assert tree(root) == before
  end

  test "hostile arguments, projects that do not compile and such without tests are errors" do
    root = Fixture.create(%{"lib/broken.ex" => "defmodule Broken do\n  def x, do: y()\nend\n"})

    for arguments <- [
          [],
          %{"budget" => 0},
          %{"budget" => 100_000},
          %{"apply" => "yes"},
          %{"workers" => 1},
          %{"allow_paths" => ["/"]}
        ],
        do: assert({:error, %Error{kind: :invalid_argument}} = fix(root, arguments))

    assert {:error, %Error{kind: :project, message: message}} = fix(root, %{})
    assert message =~ "does not compile"
    bare = Fixture.create(%{"test/cart_test.exs" => nil, "test/other_test.exs" => nil})
    assert {:error, %Error{kind: :project, message: "the project has no tests" <> _}} = fix(bare, %{})
    assert {:error, %Error{}} = fix(bare, %{"target" => "../../etc/passwd"})
  end

  test "a dependency outside of the project is seen where the host allows it" do
    near =
      Fixture.create(%{
        "mix.exs" =>
          "defmodule Near.MixProject do\n  use Mix.Project\n  def project, do: [app: :near, version: \"1.0.0\"]\nend\n",
        "lib/cart.ex" => "defmodule Near do\n  def one, do: 1\nend\n",
        "lib/counter.ex" => nil,
        "lib/application.ex" => nil
      })

    # Only development needs it, so it is no reason to refuse.
    tool = Fixture.create()

    root =
      Fixture.create(%{
        "mix.exs" => """
        defmodule Tiny.MixProject do
          use Mix.Project
          def project, do: [app: :tiny, version: "0.1.0", deps: deps()]
          defp deps, do: [{:near, path: "../#{Path.basename(near)}"}, {:tool, path: "#{tool}", only: [:dev]}]
        end
        """,
        "lib/counter.ex" => nil,
        "lib/application.ex" => nil,
        "test/other_test.exs" => nil,
        "test/cart_test.exs" =>
          "defmodule NearTest do\n  use ExUnit.Case\n  test \"near\", do: assert Near.one() == 1\nend\n"
      })

    for tool <- [Check, RunTests, Fix] do
      assert {:error, %Error{kind: :project, message: message}} =
               call(tool, %{}, host: %{root: root, index: nil})

      assert message =~ "--allow-paths #{near} of the mix task"
      host = %{root: root, index: nil, allow_paths: [near]}
      assert {:ok, %{data: %{status: status}}} = call(tool, %{}, host: host)
      assert status in ["ok", "passed", :nothing_failing]
    end
  end

  test "its sandboxes end with the process that called" do
    root = Fixture.create()
    pid = spawn(fn -> fix(root, %{"budget" => 600}) end)
    wait_until(fn -> processes(root) != [] end)
    Process.exit(pid, :kill)
    wait_until(fn -> processes(root) == [] end)
  end

  test "the definitions are small, and say first when to use a tool" do
    tools = Enum.map([Check, RunTests, Fix], & &1.tool())
    for tool <- tools, do: assert(String.starts_with?(tool.description, "Use "))

    definitions =
      for tool <- tools do
        input = tool.input |> Ambix.Options.json_schema() |> Map.delete("$schema")

        %{
          name: tool.name,
          title: tool.title,
          description: tool.description,
          inputSchema: input,
          outputSchema: tool.output
        }
      end

    # A token of such JSON has about four bytes.
    assert byte_size(Ambix.JSON.encode!(definitions)) <= 550 * 4
  end
end
