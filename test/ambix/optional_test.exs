defmodule Ambix.OptionalTest do
  use ExUnit.Case, async: true

  alias Ambix.Optional

  doctest Optional

  test "a module that appears later is found" do
    refute Optional.available?(Ambix.OptionalTest.Late)
    defmodule Late, do: def(here, do: true)
    assert Optional.available?(Ambix.OptionalTest.Late)
  end

  test "what is there is not complained of" do
    assert Optional.require!(Enum, "1.0") == :ok
  end

  test "what is missing is named with the line for mix.exs" do
    assert_raise ArgumentError,
                 ~s(Kino is not available, add {:kino, "~> 0.12"} to the dependencies in mix.exs),
                 fn ->
                   Optional.require!(Kino, "0.12")
                 end

    assert_raise ArgumentError, ~r/add {:plug, "~> 1.14"}/, fn ->
      Optional.require!(Plug.Conn, {:plug, "~> 1.14"})
    end
  end
end
