defmodule Mix.Tasks.Ambix.GraphTest do
  # Standard output and error are captured for the whole VM, and the environment says where indexes are kept.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Ambix.JSON
  alias Ambix.Test.CompiledFixture
  alias Mix.Tasks.Ambix.Graph

  @moduletag :tmp_dir

  @files %{
    "lib/cart.ex" => """
    defmodule Cart do
      @behaviour Priced

      def empty(cart), do: put(cart, [])
      def add(cart, product), do: put(cart, [product | cart.lines])

      @impl true
      def price(cart), do: Till.round(cart)

      defp put(cart, lines), do: %{cart | lines: lines}
      defp forgotten(cart), do: cart
    end
    """,
    "lib/till.ex" => """
    defmodule Till do
      def round(amount), do: amount
      def close(cart), do: Cart.empty(cart)
    end
    """,
    "lib/priced.ex" => """
    defmodule Priced do
      @callback price(map) :: integer
      def of(thing), do: apply(Till, :close, [thing])
    end
    """,
    "test/till_test.exs" => """
    defmodule TillTest do
      use ExUnit.Case
      test "closes", do: assert Till.close(%{})
    end
    """
  }

  setup %{tmp_dir: tmp} do
    root = Path.join(tmp, "code")

    for {path, text} <- @files do
      path = Path.join(root, path)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, text)
    end

    Ambix.Test.Setup.put_env(%{"AMBIX_CACHE" => Path.join(tmp, "cache")})

    %{root: root}
  end

  # Standard output and standard error of a call that ends well.
  defp both(argv, root) do
    test = self()

    error =
      capture_io(:stderr, fn ->
        out = capture_io(fn -> assert Graph.run(argv ++ ["--root", root, "--quiet"]) == :ok end)
        send(test, {:out, out})
      end)

    assert_received {:out, out}
    {out, error}
  end

  defp out(argv, root), do: argv |> both(root) |> elem(0)

  defp json(argv, root) do
    [line] = (argv ++ ["--json"]) |> out(root) |> String.split("\n", trim: true)
    {:ok, term} = JSON.decode(line)
    term
  end

  defp symbols(argv, root), do: Enum.map(json(argv, root), & &1["symbol"])

  defp failure(argv, root) do
    error =
      capture_io(:stderr, fn ->
        capture_io(fn ->
          assert catch_exit(Graph.run(argv ++ ["--root", root, "--quiet"])) == {:shutdown, 1}
        end)
      end)

    assert ["ambix: " <> sentence] = String.split(error, "\n", trim: true)
    sentence
  end

  test "answers are tables that align", %{root: root} do
    assert out(["callers", "Cart.empty/1"], root) == """
           symbol        kind      depth  place
           Till.close/1  function      1  lib/till.ex:3
           """

    # A guess says what it rests on.
    assert out(["callers", "Till.close/1"], root) == """
           symbol           kind      depth  place                 how
           Priced.of/1      function      1  lib/priced.ex:3       call (guess: by_name)
           TillTest.closes  test          1  test/till_test.exs:3
           """

    assert out(["references", "Cart.empty/1"], root) == """
           place          in            how
           lib/till.ex:3  Till.close/1  call Cart.empty/1
           """

    assert out(["definition", "Cart.empty"], root) == """
           symbol        kind      place
           Cart.empty/1  function  lib/cart.ex:4
           """

    assert out(["path", "Till", "Cart.put/2"], root) == """
           symbol        by    place
           Till.close/1        lib/till.ex:3
           Cart.empty/1  call  lib/till.ex:3
           Cart.put/2    call  lib/cart.ex:4
           """

    assert out(["dead"], root) == """
           symbol            kind      place           doubt
           Cart.forgotten/1  function  lib/cart.ex:11
           """

    assert out(["cycles", "--kinds", "call"], root) == """
           Cart, Till
           from  to    when      by    place
           Cart  Till  run time  call  lib/cart.ex:8
           Till  Cart  run time  call  lib/till.ex:3
           """

    assert out(["communities"], root) =~ ~r/^ +1 +\d+  .*Till/m
    assert out(["near", "Till.close/1", "--tokens", "100"], root) =~ "lib/till.ex:3 Till.close/1  (asked for)"
    assert both(["callers", "Cart.forgotten/1"], root) == {"", "none found\n"}
  end

  test "README shows what is printed" do
    readme = File.read!(Path.expand("../../README.md", __DIR__))

    [_, words, shown] =
      Regex.run(~r/^    \$ mix ambix\.graph (.+) --root examples\/shop\n((?:    .+\n)+)/m, readme)

    printed = words |> String.split() |> out(Path.expand("../../examples/shop", __DIR__))
    assert printed == String.replace(shown, ~r/^    /m, "")
  end

  test "every verb answers in JSON", %{root: root} do
    assert symbols(["callees", "Till.close/1", "--depth", "2"], root) == ["Cart.empty/1", "Cart.put/2"]
    assert symbols(["callees", "Priced", "--kinds", "dispatch"], root) == ["Cart.price/1"]
    assert symbols(["definition", "Cart.empty"], root) == ["Cart.empty/1"]
    assert symbols(["references", "Cart.empty/1"], root) == ["Till.close/1"]
    assert symbols(["implementations", "Priced"], root) == ["Cart"]
    File.write!(Path.join(root, "lib/server.ex"), "defmodule Server do\n  use GenServer\nend\n")
    assert symbols(["implementations", "GenServer"], root) == ["Server"]
    File.rm!(Path.join(root, "lib/server.ex"))
    assert symbols(["tests", "lib/cart.ex"], root) == ["TillTest.closes"]
    assert "TillTest.closes" in symbols(["impact", "Cart.empty/1"], root)
    assert symbols(["dead", "--no-public", "--keep", "Priced.of/1,TillTest"], root) != []
    assert ["Cart.forgotten/1" | _] = symbols(["dead"], root)
    assert length(symbols(["rank", "--limit", "2", "--seeds", "Till.close/1"], root)) == 2

    assert [%{"symbols" => [_, _], "links" => [%{"how" => "call"}]}] =
             json(["path", "Till.close/1", "Cart"], root)

    assert [%{"modules" => ["Cart", "Till"]}] = json(["cycles", "--kinds", "call"], root)
    assert [] = json(["cycles", "--phase", "compile_time"], root)

    assert %{"groups" => [_ | _], "modularity" => _} =
             json(["communities", "--of", "symbols", "--seed", "1"], root)

    assert %{"text" => _, "tokens" => tokens, "omitted" => _} = json(["near", "Till", "--tokens", "60"], root)
    assert tokens <= 60
    assert %{"text" => "digraph" <> _} = json(["export", "--format", "dot"], root)
    assert %{"text" => "<svg" <> _} = json(["svg"], root)
  end

  test "exports and pictures go to files, whole", %{root: root, tmp_dir: tmp} do
    file = Path.join(tmp, "out")

    for {format, part} <- [
          dot: "digraph",
          graphml: "<graphml",
          json: "\"nodes\"",
          mermaid: "graph LR",
          cypher: "CREATE"
        ] do
      argv = ["export", "--format", "#{format}", "--around", "Cart.empty/1"]
      assert out(argv ++ ["--out", file], root) =~ ~r/ in #{file}$/m
      text = File.read!(file)
      assert text =~ part
      assert text =~ "put"
      refute text =~ "forgotten"
      assert out(argv, root) == text
      assert json(argv ++ ["--out", file], root) == %{"bytes" => byte_size(text), "out" => file}
      assert out(argv ++ ["--depth", "2", "--out", file], root) != ""
      assert File.read!(file) =~ "closes"
    end

    out(["svg", "--out", file], root)
    assert File.read!(file) =~ ~r/<svg.*TillTest/s
    refute File.read!(file) =~ "put/2"
    out(["svg", "Cart.empty/1", "--out", file], root)
    assert File.read!(file) =~ "put/2"
    assert failure(["svg", "--out", file, "--max-nodes", "1"], root) =~ "at most 1 are allowed"
    assert File.read!(file) =~ "put/2"
    assert failure(["svg", "--out", Path.join(tmp, "no/such/out.svg")], root) =~ "no such file or directory"
    assert Enum.sort(File.ls!(tmp)) == ["cache", "code", "out"]
  end

  test "an answer is drawn where it is asked for", %{root: root, tmp_dir: tmp} do
    [svg, dot] = for name <- ["a.svg", "a.dot"], do: Path.join(tmp, name)

    for {argv, shown, hidden} <- [
          {["callers", "Cart.empty/1"], "close", "put"},
          {["callees", "Cart.empty/1"], "put", "close"},
          {["impact", "lib/cart.ex"], "closes", "forgotten"}
        ] do
      plain = out(argv, root)
      assert {^plain, remarks} = both(argv ++ ["--svg", svg, "--dot", dot], root)
      assert remarks == "written to #{svg}\nwritten to #{dot}\n"

      for file <- [svg, dot] do
        assert File.read!(file) =~ shown
        refute File.read!(file) =~ hidden
      end
    end
  end

  test "diff tells what a change in git touches", %{root: root, tmp_dir: tmp} do
    who = ~w(-c user.name=Somebody -c user.email=somebody@localhost -c commit.gpgsign=false)
    git = fn args -> {_, 0} = System.cmd("git", who ++ args, cd: root, stderr_to_stdout: true) end
    git.(~w(init -q))
    git.(~w(add -A))
    git.(~w(commit -q -m first))
    assert both(["diff"], root) == {"", "no definition of the index was changed since HEAD\n"}
    File.write!(Path.join(root, "lib/till.ex"), String.replace(@files["lib/till.ex"], "(cart)", "( cart)"))
    assert %{"touched" => [%{"symbol" => "Till.close/1"}], "deleted" => []} = json(["diff", "HEAD"], root)
    assert {text, remark} = both(["diff"], root)
    assert text =~ "changed:\nlib/till.ex\n\ntouched:\nsymbol "
    assert text =~ ~r/^tests:\nsymbol +kind +place\nTillTest.closes/m
    assert remark == "1 definitions touched, 2 depend on them\n"
    File.write!(Path.join(root, "lib/till.ex"), String.replace(@files["lib/till.ex"], "close(", "shut("))
    assert {text, remark} = both(["diff"], root)
    assert text =~ "gone, and called still:\nTill.close/1\n"
    assert remark == "1 definitions touched, 2 depend on them\n"
    assert %{"gone" => [%{"symbol" => "Till.close/1", "file" => "lib/till.ex"}]} = json(["diff"], root)
    assert failure(["diff", "nope"], root) =~ ~s(has no commit "nope")
    assert failure(["diff", "HEAD", "more"], root) =~ "expects at most one commit"
    path = System.get_env("PATH")
    on_exit(fn -> System.put_env("PATH", path) end)
    System.put_env("PATH", tmp)
    assert failure(["diff"], root) == "git is not on the PATH; install it to ask what a change touches"
    System.put_env("PATH", path)
    assert File.ls!(tmp) |> Enum.sort() == ["cache", "code"]
  end

  test "the compiler's word is taken in with --compiled", %{tmp_dir: tmp, root: code} do
    root = CompiledFixture.create(Path.join(tmp, "paint"))
    assert symbols(["callers", "Paint.Shop.pour/1"], root) == ["Paint.Maker.__using__/1"]

    assert {text, remark} = both(["callers", "Paint.Shop.pour/1", "--compiled"], root)
    assert text =~ ~r/^Paint.Colours.red_pot\/1 +function +1 +lib\/colours.ex:2$/m
    assert remark == "compiled modules: 3 taken in, 0 stale\n"

    # It is kept, until somebody wants to know what the text alone says.
    assert out(["callers", "Paint.Shop.pour/1"], root) =~ "Paint.Colours.red_pot/1"
    assert symbols(["callers", "Paint.Shop.pour/1", "--no-compiled"], root) == ["Paint.Maker.__using__/1"]
    assert out(["callers", "Paint.Shop.pour/1"], root) =~ "Paint.Colours.red_pot/1"
    File.write!(Path.join(root, "lib/colours.ex"), "defmodule Paint.Colours, do: nil")
    File.touch!(Path.join(root, "lib/colours.ex"), System.os_time(:second) + 5)
    assert {text, remark} = both(["callers", "Paint.Shop.pour/1", "--compiled"], root)
    refute text =~ "red_pot"
    assert remark == "compiled modules: 2 taken in, 1 stale; run mix compile\n"

    assert {_, "no compiled modules of this folder were found; run mix compile\n"} =
             both(["callers", "Cart.empty/1", "--compiled"], code)
  end
end
