defmodule Ambix.Graph.ChangeTest do
  use ExUnit.Case, async: true

  alias Ambix.{Error, Graph, Graph.Change, Index}

  @moduletag :tmp_dir

  @cart """
  defmodule Cart do
    def add(cart, item) do
      [item | cart]
    end

    def total(cart), do: Tax.with_tax(Enum.sum(cart))
  end
  """

  @tax """
  defmodule Tax do
    @rate 19
    def with_tax(amount) do
      tax = div(amount * @rate, 100)
      amount + tax
    end

    def free, do: 0
  end
  """

  @test_file """
  defmodule CartTest do
    use ExUnit.Case
    test "adds up", do: assert Cart.total([100]) == 119
  end
  """

  setup %{tmp_dir: tmp} do
    # The folder of the index lies below that of the repository.
    root = Path.join(tmp, "repository/app")
    write(root, "lib/cart.ex", @cart)
    write(root, "lib/tax.ex", @tax)
    write(root, "lib/old.ex", "defmodule Old do\n  def gone, do: 1\nend\n")
    write(root, "test/cart_test.exs", @test_file)
    write(root, "../other/lib/elsewhere.ex", "defmodule Elsewhere do\nend\n")
    git(Path.join(tmp, "repository"), ~w(init -q))
    commit(Path.join(tmp, "repository"), "first")
    %{root: root}
  end

  defp write(root, path, text) do
    path = Path.join(root, path)
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, text)
  end

  defp git(folder, args) do
    who = ~w(-c user.name=Somebody -c user.email=somebody@localhost -c commit.gpgsign=false)
    {_, 0} = System.cmd("git", who ++ args, cd: folder, stderr_to_stdout: true)
  end

  defp commit(folder, message) do
    git(folder, ~w(add -A))
    git(folder, ["commit", "-q", "-m", message])
  end

  defp diff(root, ref \\ "HEAD") do
    {:ok, index} = Index.build(root)
    Graph.diff(index, ref)
  end

  defp names(symbols), do: Enum.map(symbols, & &1.symbol)

  test "without a change nothing is touched", %{root: root} do
    assert {:ok, %{touched: [], hits: [], tests: [], changed: [], deleted: [], gone: []}} = diff(root)
  end

  test "a changed line touches its function, and what depends on it", %{root: root} do
    write(root, "lib/tax.ex", String.replace(@tax, "amount + tax", "amount - tax"))
    write(root, "../other/lib/elsewhere.ex", "changed, but not below the root")
    assert {:ok, change} = diff(root)
    assert change.changed == ["lib/tax.ex"]
    assert names(change.touched) == ["Tax.with_tax/1"]
    assert names(change.hits) == ["Cart.total/1", "CartTest.adds up"]
    assert names(change.tests) == ["CartTest.adds up"]
    assert change.files == ["lib/cart.ex", "test/cart_test.exs"]
    commit(root, "second")
    assert {:ok, %{touched: []}} = diff(root)
    assert {:ok, %{changed: ["lib/tax.ex"]}} = diff(root, "HEAD~1")
  end

  test "taken lines touch what is around them, new files all that they define", %{root: root} do
    write(root, "lib/tax.ex", String.replace(@tax, "    tax = div(amount * @rate, 100)\n", ""))
    write(root, "lib/new file ü.ex", "defmodule New do\n  def one, do: 1\n  def two, do: 2\nend\n")
    write(root, ".gitignore", "lib/ignored.ex\n")
    write(root, "lib/ignored.ex", "defmodule Ignored do\n  def one, do: 1\nend\n")
    File.rm!(Path.join(root, "lib/old.ex"))
    assert {:ok, change} = diff(root)
    assert change.deleted == ["lib/old.ex"]
    assert change.changed == [".gitignore", "lib/new file ü.ex", "lib/tax.ex"]
    assert Enum.sort(names(change.touched)) == ["New", "New.one/0", "New.two/0", "Tax.with_tax/1"]
    git(root, ~w(add -A))
    assert {:ok, ^change} = diff(root)
  end

  test "a renamed file touches only what changed in it", %{root: root} do
    File.rm!(Path.join(root, "lib/tax.ex"))
    write(root, "lib/duty.ex", String.replace(@tax, "free, do: 0", "free, do: 1"))
    git(root, ~w(add -A))
    assert {:ok, %{touched: touched, changed: ["lib/duty.ex"], deleted: []}} = diff(root)
    assert names(touched) == ["Tax.free/0"]
  end

  test "what still calls what is gone is reached, however it went", %{root: root} do
    test = String.replace(@test_file, "Cart.total([100]) == 119", "Tax.free() == Cart.add([], 1)")
    write(root, "test/tax_test.exs", String.replace(test, "CartTest", "TaxTest"))
    commit(root, "second")

    reached = fn files ->
      git(root, ~w(checkout -q .))

      for {path, text} <- files,
          do: if(text, do: write(root, path, text), else: File.rm!(Path.join(root, path)))

      {:ok, change} = diff(root)
      {change.gone, names(change.hits), names(change.tests)}
    end

    tax = &String.replace(@tax, &1, &2)
    both = ["CartTest.adds up", "TaxTest.adds up"]
    with_tax = %{symbol: "Tax.with_tax/1", file: "lib/tax.ex"}
    hits = ["Cart.total/1", "CartTest.adds up"]

    # Renamed; of another arity; its module renamed, in the same file and with the file; deleted with its file.
    assert reached.(%{"lib/tax.ex" => tax.("with_tax(", "taxed(")}) ==
             {[with_tax], hits, ["CartTest.adds up"]}

    assert {[^with_tax], ^hits, _} =
             reached.(%{"lib/tax.ex" => tax.("with_tax(amount)", "with_tax(amount, _rate)")})

    assert {[%{symbol: "Tax.free/0"}, ^with_tax], _, ^both} =
             reached.(%{"lib/tax.ex" => tax.("module Tax", "module Duty")})

    assert {[_, ^with_tax], found, ^both} = reached.(%{"lib/tax.ex" => nil})
    assert Enum.sort(found) == ["Cart.total/1", "CartTest.adds up", "TaxTest.adds up"]

    assert {[_, _], _, ^both} =
             reached.(%{"lib/tax.ex" => nil, "lib/duty.ex" => tax.("module Tax", "module Duty")})

    # What moved within its file, or of which only the body or a clause is another one, is there still.
    assert {[], _, _} = reached.(%{"lib/tax.ex" => tax.("free, do: 0", "free, do: 1")})
    assert {[], _, _} = reached.(%{"lib/tax.ex" => tax.("free, do: 0", "free(), do: 1")})
    moved = String.replace(tax.("  def free, do: 0\n", ""), "  @rate", "  def free, do: 0\n  @rate")
    assert {[], _, _} = reached.(%{"lib/tax.ex" => moved})

    # What only ends in the name of a module that is gone is another one; one that was written inside of it is not.
    inner = "  defmodule Rates do\n    def one, do: 1\n  end\n"
    write(root, "lib/tax.ex", String.replace(@tax, "  @rate", inner <> "  @rate"))
    write(root, "lib/asks.ex", "defmodule Asks do\n  def all, do: {Far.Rates.one(), Tax.Rates.one()}\nend\n")
    commit(root, "nested")
    assert {[%{symbol: "Tax.Rates.one/0"}], found, _} = reached.(%{"lib/tax.ex" => @tax})
    assert "Asks.all/0" in found
    git(root, ~w(reset -q --hard HEAD~1))
    # What an import brought in is a guess as soon as its module is gone.
    shop = "defmodule Shop do\n  import Tax\n  def fee, do: free()\nend\n"
    write(root, "lib/shop.ex", shop)
    commit(root, "third")
    assert {[_, ^with_tax], found, ^both} = reached.(%{"lib/tax.ex" => nil})
    assert found == ["TaxTest.adds up", "Cart.total/1", "Shop.fee/0", "CartTest.adds up"]
    assert {:ok, %{hits: hits}} = diff(root)
    assert Enum.map(hits, &{&1.certain, &1.depth}) == [{true, 1}, {true, 1}, {false, 1}, {true, 2}]
    # Nothing calls it.
    assert {[], [], []} = reached.(%{"lib/old.ex" => nil})
    # Who calls it is changed itself, and no more told than that.
    cart = String.replace(@cart, "do: Tax", "do: 1 + Tax")

    assert {[%{symbol: "Tax.free/0"}, ^with_tax], _, ^both} =
             reached.(%{"lib/tax.ex" => nil, "lib/cart.ex" => cart})
  end

  test "what the user has configured does not matter", %{root: root} do
    for {key, value} <- [
          {"diff.noprefix", "true"},
          {"diff.mnemonicPrefix", "true"},
          {"color.ui", "always"},
          {"diff.external", "false"},
          {"diff.interHunkContext", "9"},
          {"core.quotePath", "true"},
          {"core.autocrlf", "input"},
          {"core.safecrlf", "warn"}
        ],
        do: git(root, ["config", key, value])

    write(root, "lib/tax.ex", String.replace(@tax, "free, do: 0", "free, do: 1\r"))
    assert {:ok, %{touched: [%{symbol: "Tax.free/0"}]}} = diff(root)
  end

  test "what git cannot tell is an error that says so", %{root: root, tmp_dir: tmp} do
    assert {:error, %Error{kind: :not_found, message: message}} = diff(root, "no-such-branch")
    assert message =~ ~s(no commit "no-such-branch")
    written = Path.join(tmp, "written")

    for ref <- ["--output=#{written}", "-h", "", "HEAD..HEAD", "lib/tax.ex", "HEAD\0"],
        do: assert({:error, %Error{kind: :not_found}} = diff(root, ref))

    refute File.exists?(written)

    # The folder of this test lies in a repository itself.
    outside =
      Path.join(System.tmp_dir!(), "ambix-graph-#{System.unique_integer([:positive])}-#{System.pid()}")

    write(outside, "a.ex", "defmodule A do\nend\n")
    on_exit(fn -> File.rm_rf!(outside) end)
    assert {:error, %Error{kind: :project, message: message}} = diff(outside)
    assert message =~ "is not in the working tree of a git repository"
    git(outside, ~w(init -q))
    assert {:error, %Error{kind: :not_found, message: message}} = diff(outside)
    assert message =~ ~s(no commit "HEAD")
  end

  test "the text of a hunk is never taken for what git says" do
    patch = """
    diff --git a/a.ex b/a.ex
    index 1..2 100644
    --- a/a.ex
    +++ b/a.ex
    @@ -1,2 +1,3 @@ defmodule A do
    --- a/x.ex
    -+++ b/x.ex
    +++ b/y.ex
    +@@ -1 +7 @@
    +diff --git a/z b/z
    \\ No newline at end of file
    @@ -9 +10 @@
    -x
    +y
    @@ -20,3 +20,0 @@
    -x
    -x
    -x
    diff --git "a/a \\"b\\"\\303\\274\\t.ex" "b/a \\"b\\"\\303\\274\\t.ex"
    --- "a/a \\"b\\"\\303\\274\\t.ex"
    +++ "b/a \\"b\\"\\303\\274\\t.ex"
    @@ -1,4 +0,0 @@
    -x
    -x
    -x
    -x
    diff --git a/gone with space.ex b/gone with space.ex
    deleted file mode 100644
    --- a/gone with space.ex\t
    +++ /dev/null
    @@ -1 +0,0 @@
    -x
    diff --git a/image.png b/image.png
    Binary files a/image.png and b/image.png differ
    diff --git a/new.ex b/new.ex
    --- /dev/null
    +++ b/new.ex
    @@ -0,0 +1,2 @@
    +x
    +y
    """

    assert Change.parse(patch) == {
             [{"a.ex", 1, 3}, {"a.ex", 10, 10}, {"a.ex", 20, 21}, {"a \"b\"ü\t.ex", 1, 1}, {"new.ex", 1, 2}],
             ["a.ex", "a \"b\"ü\t.ex", "new.ex"],
             ["gone with space.ex"],
             []
           }

    assert Change.parse("") == {[], [], [], []}
    assert Change.parse("@@ -1 +1 @@\n+++ b/\n@@ nonsense\n+++ \"\n") |> is_tuple()
  end
end
