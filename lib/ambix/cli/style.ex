defmodule Ambix.CLI.Style do
  @moduledoc false
  # Colours, and what is known of the terminal. Nothing is coloured where the output is not a terminal or `NO_COLOR` is set
  # (https://no-color.org).

  @type device :: :stdio | :stderr

  @doc "Text in the style of `IO.ANSI` sequences such as `[:red, :bright]`, where the device shows colours."
  @spec paint(iodata, [atom] | atom, device) :: iodata
  def paint(text, style, device \\ :stdio) do
    if colour?(device), do: IO.ANSI.format_fragment([style, text, :reset], true), else: text
  end

  @doc "Whether colours are shown."
  @spec colour?(device) :: boolean
  def colour?(device), do: System.get_env("NO_COLOR", "") == "" and terminal?(device)

  @doc "Whether the device is a terminal."
  @spec terminal?(device) :: boolean
  def terminal?(device), do: match?({:ok, _}, geometry(device))

  @doc "The number of columns of the device; 100 where it is no terminal."
  @spec columns(device) :: pos_integer
  def columns(device) do
    case geometry(device) do
      {:ok, columns} -> max(columns, 20)
      _ -> 100
    end
  end

  # Asked of the device itself: `IO.ANSI.enabled?/0` holds for standard output and error together.
  defp geometry(:stdio), do: :io.columns(:standard_io)
  defp geometry(:stderr), do: :io.columns(:standard_error)
end
