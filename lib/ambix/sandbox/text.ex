defmodule Ambix.Sandbox.Text do
  @moduledoc false
  # What a sandbox has printed, as text.

  @doc "Valid UTF-8, in time linear in the size: what is none becomes U+FFFD, one for as many bytes as follow one another."
  @spec valid(binary()) :: String.t()
  def valid(binary), do: if(String.valid?(binary), do: binary, else: valid(binary, <<>>, false))

  defp valid(<<char::utf8, rest::binary>>, text, _bad?), do: valid(rest, <<text::binary, char::utf8>>, false)
  defp valid(<<_, rest::binary>>, text, true), do: valid(rest, text, true)
  defp valid(<<_, rest::binary>>, text, false), do: valid(rest, <<text::binary, 0xFFFD::utf8>>, true)
  defp valid(<<>>, text, _bad?), do: text
end
