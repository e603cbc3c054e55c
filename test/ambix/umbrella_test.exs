defmodule Ambix.UmbrellaTest do
  use ExUnit.Case, async: true

  alias Ambix.{Error, Fix, Index, Packages, Umbrella}
  alias Ambix.Graph.Trace
  alias Ambix.Sandbox.{Fixture, Project}

  @moduletag timeout: 900_000
  # A busy machine does not use it up either.
  @ample 600

  defp mix(app, more) do
    """
    defmodule #{Macro.camelize(app)}.MixProject do
      use Mix.Project

      def project do
        [
          app: :#{app},
          version: "0.1.0",
          build_path: "../../_build",
          config_path: "../../config/config.exs",
          deps_path: "../../deps",
          lockfile: "../../mix.lock",
          #{more}
        ]
      end

      defp paths(:test), do: ["source", "checks/support"]
      defp paths(_), do: ["source"]
      def application, do: []
    end
    """
  end

  # `rates` has its code and tests elsewhere than is usual, needs `coins`, the shared configuration and a step before the tests.
  defp files do
    %{
      "mix.exs" => """
      defmodule Bank.MixProject do
        use Mix.Project
        def project, do: [apps_path: "apps", version: "0.1.0", deps: []]
      end
      """,
      "config/config.exs" => "import Config\nconfig :rates, percent: 20\n",
      "apps/coins/mix.exs" => mix("coins", "deps: []"),
      "apps/coins/lib/coins.ex" => """
      defmodule Coins do
        def double(x), do: x + 2
        def whole(x), do: trunc(x)
      end
      """,
      "apps/coins/test/test_helper.exs" => "ExUnit.start()\n",
      "apps/coins/test/coins_test.exs" => """
      defmodule CoinsTest do
        use ExUnit.Case
        test "doubles", do: assert Enum.map([0, 2, 5], &Coins.double/1) == [0, 4, 10]
        test "cuts", do: assert Coins.whole(1.5) == 1
      end
      """,
      "apps/rates/mix.exs" =>
        mix("rates", """
        elixirc_paths: paths(Mix.env()),
              test_paths: ["checks"],
              test_pattern: "*_check.exs",
              aliases: [test: [&prepare/1, "no.such.task", "test --exclude broken"]],
              deps: [{:coins, in_umbrella: true}]
        """)
        |> String.replace(
          "  def application",
          "  defp prepare(_), do: File.write!(\"prepared\", \"40\")\n  def application"
        ),
      "apps/rates/source/rates.ex" => """
      defmodule Rates do
        def percent, do: Application.fetch_env!(:rates, :percent)
        def due(amount), do: Coins.whole(amount * percent() / 100)
        def late?(days), do: days > 30
      end
      """,
      "apps/rates/checks/support/sample.ex" => """
      defmodule Rates.Sample do
        def amount, do: 200
        def days, do: Enum.map([29, 30, 31], &Rates.late?/1)
      end
      """,
      "apps/rates/checks/test_helper.exs" => "ExUnit.start()\n",
      "apps/rates/checks/rates_check.exs" => """
      defmodule RatesCheck do
        use ExUnit.Case
        test "a fifth is due", do: assert Rates.due(Rates.Sample.amount()) == String.to_integer(File.read!("prepared"))
        test "thirty days are late", do: assert Rates.Sample.days() == [false, true, true]
        @tag :broken
        test "is left out", do: flunk("never")
      end
      """
    }
  end

  defp create(changes \\ %{}) do
    root =
      Fixture.create(
        Map.new(["application", "counter", "cart", "macros"], &{"lib/#{&1}.ex", nil})
        |> Map.merge(none())
      )

    for {path, text} <- Map.merge(files(), changes), text != nil, do: Fixture.write(root, path, text)
    root
  end

  defp none do
    for file <- ["mix.exs", "test/test_helper.exs", "test/cart_test.exs", "test/other_test.exs"],
        into: %{},
        do: {file, nil}
  end

  @double %{
    "lib/coins.ex" => "defmodule Coins do\n  def double(x), do: x * 2\n  def whole(x), do: trunc(x)\nend\n"
  }

  test "what an umbrella consists of is read off its mix.exs" do
    root = create()
    rates = Path.join(root, "apps/rates")
    assert Umbrella.apps(root) == ["apps/coins", "apps/rates"]
    assert Umbrella.apps(rates) == nil
    assert Umbrella.around(rates) == root
    assert Umbrella.around(root) == nil
    assert Umbrella.needs(root, "apps/rates") == ["coins"]
    assert Umbrella.in_order(root, ["apps/rates", "apps/coins"]) == ["apps/coins", "apps/rates"]
    # What is no app, or leads out of the umbrella, is none.
    File.mkdir_p!(Path.join(root, "apps/notes"))
    assert Umbrella.apps(root) == ["apps/coins", "apps/rates"]
    Fixture.write(root, "mix.exs", "[apps_path: \"../..\"]")
    assert Umbrella.apps(root) == nil
  end

  test "apps that need each other in a circle are put in some order" do
    root = create(%{"apps/coins/mix.exs" => mix("coins", "deps: [{:rates, in_umbrella: true}]")})
    assert Enum.sort(Umbrella.in_order(root, Umbrella.apps(root))) == ["apps/coins", "apps/rates"]
  end

  test "an app runs with its siblings, the shared configuration and folders of its own" do
    root = create()
    {:ok, server} = Project.start_link(root: Path.join(root, "apps/rates"))
    assert {:ok, %{tests: tests}} = Project.run_tests(server, coverage: :per_test)
    states = Map.new(tests, &{&1.name, &1.state})

    assert states == %{
             "test a fifth is due" => :passed,
             "test thirty days are late" => :failed,
             "test is left out" => :excluded
           }

    late = Enum.find(tests, &(&1.state == :failed))
    assert late.file == "checks/rates_check.exs"
    assert List.keymember?(late.covered, "source/rates.ex", 0)

    mended = String.replace(files()["apps/rates/source/rates.ex"], "> 30", ">= 30")
    assert {:ok, %{status: :passed}} = Project.verdict(server, %{"source/rates.ex" => mended})
    Project.stop(server)
    assert root |> Path.join("apps/rates") |> File.ls!() |> Enum.sort() == ["checks", "mix.exs", "source"]
  end

  test "a sibling is compiled from its source, not taken from an older build" do
    root = create()
    {_, 0} = System.cmd("mix", ["compile"], cd: root, env: [{"MIX_ENV", "test"}], stderr_to_stdout: true)
    Fixture.write(root, "apps/coins/lib/coins.ex", "defmodule Coins do\n  def whole(_), do: 7\nend\n")
    {:ok, server} = Project.start_link(root: Path.join(root, "apps/rates"))

    assert {:ok, %{tests: [%{state: :failed, message: message}]}} =
             Project.run_tests(server, only: ["RatesCheck: test a fifth is due"])

    assert message =~ "left:  7" or message =~ "== "
    Project.stop(server)
  end

  test "fix mends one app, and all apps from the root" do
    root = create()

    assert {:ok, %{status: :mended, patches: [%{file: "source/rates.ex", diff: diff}]}} =
             Fix.run(Path.join(root, "apps/rates"), budget: @ample)

    assert diff =~ "+  def late?(days), do: days >= 30"

    assert {:ok, %{status: :mended, patches: patches} = result} = Fix.run(root, budget: @ample)
    assert Enum.map(patches, & &1.file) == ["apps/coins/lib/coins.ex", "apps/rates/source/rates.ex"]
    assert hd(patches).diff =~ "--- a/apps/coins/lib/coins.ex\n+++ b/apps/coins/lib/coins.ex\n"
    assert Fix.apply_patches(root, result) == :ok
    assert {:ok, %{status: :nothing_failing}} = Fix.run(root, budget: @ample)

    assert {:error, %Error{kind: :not_found}} = Fix.run(root, target: "config/config.exs")

    assert {:ok, %{status: :nothing_failing}} =
             Fix.run(root, target: "apps/rates/checks/rates_check.exs", budget: @ample)
  end

  test "a patch that breaks an app that depends on it is not kept" do
    root =
      create(%{
        "apps/rates/source/rates.ex" =>
          "defmodule Rates do\n  def sum, do: Coins.double(1) <> \"\" == 3\nend\n"
          |> String.replace(" <> \"\" == 3", ""),
        "apps/rates/checks/support/sample.ex" => nil,
        "apps/rates/checks/rates_check.exs" => """
        defmodule RatesCheck do
          use ExUnit.Case
          test "relies on what is wrong", do: assert "\#{Rates.sum()}" == "3"
        end
        """
      })

    assert {:ok, %{status: :none, patches: [], reason: reason}} =
             Fix.run(root, max_candidates: 200, budget: @ample)

    assert reason =~ "the patch for apps/coins fails tests of apps/rates"
  end

  test "other tasks work in an app and at the root" do
    root = create(%{"deps/far/lib/far.ex" => "defmodule Far do\nend\n"})
    rates = Path.join(root, "apps/rates")
    assert {:ok, [%{name: "far"}]} = Packages.list(rates, elixir: false)
    assert {:ok, index} = Index.build(root)
    assert {:ok, %{results: [%{file: "apps/rates/source/rates.ex"} | _]}} = Index.lookup(index, "Rates.due")

    for folder <- [root, rates] do
      assert {:ok, edges} = Trace.edges(folder)
      assert {"Rates", "due", 1, "Coins", "whole", 1} in edges
    end

    assert {:ok, %{status: :passed}} =
             Project.verify(Path.join(root, "apps/coins"), @double, failing: ["CoinsTest: test doubles"])
  end
end
