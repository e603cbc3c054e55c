defmodule Ambix.MCP.Lines do
  @moduledoc false
  # Lines out of chunks of bytes, none longer than a limit. Of a line that is too long only its end is waited for.

  @enforce_keys [:max]
  defstruct [:max, parts: [], size: 0, skipping: false]

  @opaque t :: %__MODULE__{}

  @spec new(pos_integer) :: t
  def new(max), do: %__MODULE__{max: max}

  @doc "The lines that end within `chunk`, each a binary without its end, or `:too_long`. Empty ones are left out."
  @spec feed(t, binary) :: {[binary | :too_long], t}
  def feed(lines, chunk), do: feed(lines, chunk, [])

  defp feed(lines, chunk, done) do
    case :binary.match(chunk, "\n") do
      {at, 1} ->
        rest = binary_part(chunk, at + 1, byte_size(chunk) - at - 1)
        {line, lines} = lines |> add(binary_part(chunk, 0, at)) |> take()
        feed(lines, rest, if(line == "", do: done, else: [line | done]))

      :nomatch ->
        {Enum.reverse(done), add(lines, chunk)}
    end
  end

  defp add(%{skipping: true} = lines, _part), do: lines

  defp add(lines, part) do
    size = lines.size + byte_size(part)

    if size > lines.max,
      do: %{lines | parts: [], size: 0, skipping: true},
      else: %{lines | parts: [lines.parts | part], size: size}
  end

  defp take(%{skipping: true} = lines), do: {:too_long, new(lines.max)}

  defp take(lines),
    do: {lines.parts |> IO.iodata_to_binary() |> String.trim_trailing("\r"), new(lines.max)}
end
