defmodule Ambix.Sandbox.Disguise do
  @moduledoc false
  # The driver's code under names that nobody knows beforehand, as binaries, without making an atom here.
  #
  # So a project that defines a module of the driver's name, as this one does, replaces nothing; and code that is to be
  # tested has to search for the driver before it can call it.

  # Beginnings of the names of modules.
  @names ["Ambix.Sandbox.Driver", "Ambix.Compat"]
  @letters "abcdefghijklmnopqrstuvwxyz0123456789"

  # What the VM needs to load a module; debug information and documentation name what is disguised.
  @chunks ~w(AtU8 Code StrT ImpT ExpT FunT LitT Line LocT Attr CInf Type Meta)c

  @doc "Names and object code of the modules, in the order given, disguised in the same way."
  @spec disguise([module(), ...]) :: [{String.t(), binary()}]
  def disguise(modules) do
    names = for name <- @names, do: {name, random(byte_size(name))}

    for module <- modules,
        do: {rename(Atom.to_string(module), names), rename_code(object_code(module), names)}
  end

  # As long as the real one, so that it can take its place in any table.
  defp random(size) do
    <<_, rest::binary>> = :crypto.strong_rand_bytes(size)
    "A" <> for(<<byte <- rest>>, into: "", do: binary_part(@letters, rem(byte, byte_size(@letters)), 1))
  end

  defp rename(bytes, names) do
    Enum.reduce(names, bytes, fn {name, other}, bytes -> :binary.replace(bytes, name, other, [:global]) end)
  end

  defp rename_code(code, names) do
    {:ok, _module, chunks} = :beam_lib.all_chunks(code)

    chunks =
      for {id, bytes} <- chunks, id in @chunks do
        {id, if(id == ~c"LitT", do: rename_literals(bytes, names), else: rename(bytes, names))}
      end

    {:ok, code} = :beam_lib.build_module(chunks)
    code
  end

  # Literals are compressed, or stand behind a size of 0.
  defp rename_literals(<<0::32, literals::binary>>, names),
    do: <<0::32, rename(literals, names)::binary>>

  defp rename_literals(<<size::32, compressed::binary>>, names) do
    literals = compressed |> :zlib.uncompress() |> rename(names)
    <<size::32, :zlib.compress(literals)::binary>>
  end

  defp object_code(module) do
    {^module, binary, _file} = :code.get_object_code(module)
    binary
  end
end
