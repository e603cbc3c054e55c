defmodule Ambix.CLI.SectionsTest do
  use ExUnit.Case, async: true

  alias Ambix.CLI.Sections

  @section %{
    number: 2,
    file: "lib/cart.ex",
    line_start: 8,
    line_end: 12,
    lines: [{8, 9}, {12, 12}],
    symbols: ["Cart.put/2", "Cart.total/1"],
    text: "  def put(cart, line) do\n    cart\n# …\n\tdef total(cart), do: cart.total",
    trimmed: true,
    tokens: 1234
  }

  test "lines stand beside their numbers" do
    assert IO.iodata_to_binary(Sections.render(@section, 80)) == """
           [2] lib/cart.ex:8-9,12  Cart.put/2, Cart.total/1
            8    def put(cart, line) do
            9      cart
               # …
           12    def total(cart), do: cart.total
           """
  end

  test "lines are cut to the width of the terminal" do
    rendered = IO.iodata_to_binary(Sections.render(@section, 24))
    assert rendered =~ "\n12    def total(cart), …\n"
  end

  test "the table has a line for each section" do
    whole = %{@section | number: 10, file: "a.md", symbols: [], trimmed: false, tokens: 5}

    assert Sections.table([@section, whole], 100) == [
             "    place               tokens         what",
             " 2  lib/cart.ex:8-9,12   1 234  part   Cart.put/2, Cart.total/1",
             "10  a.md:8-9,12              5  whole"
           ]
  end
end
