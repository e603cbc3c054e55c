defmodule Ambix.Test.Hostile do
  @moduledoc "Terms that no function expects: too large, too deep, of the wrong type, or broken in themselves."

  import Bitwise

  @doc "The terms, each with a name. `handles` are resources of several kinds."
  def terms(handles) do
    integers() ++
      floats() ++ atoms() ++ binaries() ++ lists() ++ tuples() ++ maps() ++ structs() ++ others(handles)
  end

  defp integers do
    for n <-
          [-1, 0, 1, 255, 256, 65_536, 1 <<< 31, 0xFFFF_FFFF, 1 <<< 32, 1 <<< 53, (1 <<< 63) - 1, 1 <<< 63] ++
            [(1 <<< 64) - 1, 1 <<< 64, -(1 <<< 63), 1 <<< 70, -(1 <<< 70), 1 <<< 3000],
        do: {"an integer of #{length(Integer.digits(n))} digits, #{rem(n, 1000)}", n}
  end

  defp floats,
    do: for(f <- [0.0, -0.0, 1.0, -1.5, 1.0e308, -1.0e308, 5.0e-324, 1.0e39, 0.1], do: {"the float #{f}", f})

  defp atoms do
    for a <- [
          nil,
          true,
          false,
          :atom,
          :"",
          :nan,
          :infinity,
          :é,
          Enum,
          String.to_atom(String.duplicate("a", 255))
        ],
        do: {"the atom #{a}", a}
  end

  defp binaries do
    large = String.duplicate("a", 1_000_000)

    texts = [
      {"no text", ""},
      {"a zero", <<0>>},
      {"a text with a zero", "a\0b"},
      {"bytes that are no text", <<255, 254>>},
      {"a text that is cut off", "a" <> <<0xC3>>},
      {"a form that is too long", <<0xC0, 0x80>>},
      {"half of a pair", <<0xED, 0xA0, 0x80>>},
      {"a megabyte", large},
      {"a megabyte that is no text", :binary.copy(<<255>>, 1_000_000)},
      {"a part of a binary", binary_part(large, 3, 70_000)},
      {"a template", "{{ x }}{% for a in b %}"},
      {"a control token", "<|im_end|>"},
      {"a way up", "../../../\0"},
      {"an escape sequence", "\e[31m"},
      {"a pattern", "((((a*)*)*)*)*["},
      {"wildcards", String.duplicate("*a", 10_000)},
      {"JSON", "[{\"a\": 1e999}"},
      {"deep JSON", String.duplicate("[", 100_000)}
    ]

    texts ++ [{"one bit", <<1::1>>}, {"three bits", <<1::3>>}, {"a thousand and one bits", <<0::size(1001)>>}]
  end

  defp lists do
    [
      {"an empty list", []},
      {"a list of nil", [nil]},
      {"a list of an empty list", [[]]},
      {"an improper list", [1 | 2]},
      {"an improper list of texts", ["a" | "b"]},
      {"an improper list of pairs", [{"a", "b"} | :c]},
      {"an improper list within a list", [["a" | 1], ["b"]]},
      {"a charlist", ~c"abc"},
      {"a keyword list", [a: 1, b: "c"]},
      {"a list of bits", [<<1::3>>]},
      {"a list of broken texts", ["a", <<255>>]},
      {"a list of maps", [%{}]},
      {"a long list of integers", Enum.to_list(1..100_000)},
      {"a long list of texts", List.duplicate("lib", 100_000)},
      {"a long improper list", Enum.reduce(1..100_000, :end, &[&1 | &2])},
      {"a deep list", deep(10_000, &[&1])},
      {"a deep improper list", deep(10_000, &[&1 | 1])}
    ]
  end

  defp tuples do
    [
      {"an empty tuple", {}},
      {"a tuple of one", {1}},
      {"a pair", {1, 2}},
      {"a pair of texts", {"a", "b"}},
      {"an answer", {:ok, 1}},
      {"a triple of nil", {nil, nil, nil}},
      {"a large tuple", Tuple.duplicate("a", 50_000)},
      {"a deep tuple", deep(10_000, &{&1})}
    ]
  end

  defp maps do
    keys = [
      :limit,
      :policy,
      :mode,
      :paths,
      :kinds,
      :case,
      :threads,
      :device,
      :max,
      :wait,
      :quiet,
      :max_tokens
    ]

    [
      {"an empty map", %{}},
      {"a map of integers", %{1 => 2}},
      {"a map of texts", %{"a" => "b"}},
      {"a map of wrong values", Map.new(keys, &{&1, "x"})},
      {"a map of large integers", Map.new(keys, &{&1, 1 <<< 70})},
      {"a map of improper lists", Map.new(keys, &{&1, ["a" | "b"]})},
      {"a map with odd keys", %{[] => {}, nil => nil, 1.5 => %{}}},
      {"a large map", Map.new(1..20_000, &{&1, &1})},
      {"a deep map", deep(10_000, &%{a: &1})}
    ]
  end

  defp structs do
    structs = [%URI{}, ~D[2020-01-01], 1..3, MapSet.new([1]), ~r/a/, %Ambix.Error{kind: :io, message: "x"}]
    index = %Ambix.Index{resource: make_ref(), root: "/"}
    none = {"a struct of no module", %{__struct__: :nowhere}}
    [none | for(struct <- [index | structs], do: {"a struct of #{inspect(struct.__struct__)}", struct})]
  end

  defp others(handles) do
    dead = spawn(fn -> :ok end)

    [
      {"a function", fn -> :ok end},
      {"an exported function", &Enum.map/2},
      {"a process", self()},
      {"a dead process", dead},
      {"a port", hd(Port.list())},
      {"a reference", make_ref()}
    ] ++ for({name, handle} <- handles, do: {"the resource of #{name}", handle})
  end

  defp deep(levels, wrap), do: Enum.reduce(1..levels, [], fn _, inner -> wrap.(inner) end)

  @doc "A list that holds another one twice, and so on: small in memory, and too large to be walked through."
  def doubled, do: Enum.reduce(1..40, [], fn _, inner -> [inner, inner] end)
end
