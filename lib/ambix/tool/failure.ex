defmodule Ambix.Tool.Failure do
  @moduledoc false
  # A failed test as data and as text, each at most a kilobyte: what a person looks at first. Of two long values that begin
  # alike, the part is given that differs.

  alias Ambix.JSON
  alias Ambix.Tool.{Fit, Projects}

  @most_bytes 1024
  # Each value gets so many bytes, or less where all of it would be too much.
  @widths [300, 150, 75, 30]

  # Of what two values have in common at the beginning, so many characters are shown before the difference.
  @before 20

  @doc "The failure of a test of the app."
  @spec new(map, Path.t()) :: map
  def new(test, app) do
    whole = parsed(test, app)

    Enum.find_value(@widths, narrow(whole, 10), fn width ->
      failure = narrow(whole, width)

      if byte_size(JSON.encode!(failure)) < @most_bytes and byte_size(text(failure, [])) < @most_bytes,
        do: failure
    end)
  end

  @doc "What a failure is about, apart from which test it is of: several with the same are told as one."
  @spec cause(map) :: term
  def cause(failure), do: Map.take(failure, [:message, :code, :left, :right, :at])

  @doc "The text of a failure. `others` are failures with the same cause, of which only the places are given."
  @spec text(map, [map]) :: String.t()
  def text(failure, others) do
    also = if others == [], do: nil, else: "also: " <> Enum.map_join(others, ", ", &"#{&1.file}:#{&1.line}")

    lines =
      [failure[:code] || failure[:message], sides(failure), at(failure), also && Fit.cut(also, 200)]
      |> List.flatten()
      |> Enum.reject(&is_nil/1)

    ["#{failure.file}:#{failure.line} #{failure.name}" | lines] |> Enum.join("\n  ")
  end

  defp sides(%{left: left, right: right}), do: ["left:  #{left}", "right: #{right}"]
  defp sides(_failure), do: []

  # The test itself is named already.
  defp at(%{at: nil}), do: nil
  defp at(%{at: at}), do: "at #{at}"

  defp parsed(test, app) do
    %{
      file: Projects.place(app, test.file),
      line: test.line,
      name: Fit.line(test.name),
      module: test.module,
      state: test.state,
      at: frame(test.frames, app)
    }
    |> Map.merge(said(test.message))
  end

  defp frame([], _app), do: nil

  defp frame([%{file: file, line: line, function: function, arity: arity} | _], app) do
    # A test is a function with a long name.
    name = if String.starts_with?(function, "test "), do: "", else: " #{function}/#{arity}"
    "#{Projects.place(app, file)}:#{line}#{name}"
  end

  defp said(message) do
    message = message |> String.replace_prefix("** (ExUnit.AssertionError) ", "") |> String.trim()

    case Regex.run(
           ~r/\A(?<message>.*?)^code: (?<code>.*?)(?:^left: (?<left>.*?)^right: (?<right>.*))?\z/ms,
           message,
           capture: :all_but_first
         ) do
      [message, code, left, right] ->
        %{message: Fit.line(message), code: Fit.line(code)} |> Map.merge(apart(left, right))

      [message, code] ->
        %{message: Fit.line(message), code: Fit.line(code)}

      nil ->
        %{message: Fit.line(message)}
    end
  end

  defp apart(left, right) do
    {left, right} = {Fit.line(left), Fit.line(right)}
    same = :binary.longest_common_prefix([left, right])

    if same > 3 * @before and left != right,
      do: %{left: later(left, same), right: later(right, same)},
      else: %{left: left, right: right}
  end

  defp later(text, same) do
    {_, rest} = text |> binary_part(0, same) |> valid() |> String.split_at(-@before)
    start = same - byte_size(rest)
    "…" <> valid(binary_part(text, start, byte_size(text) - start))
  end

  defp valid(binary), do: for(<<char::utf8 <- binary>>, into: "", do: <<char::utf8>>)

  defp narrow(failure, width) do
    Map.new(failure, fn
      {key, text} when key in [:message, :code, :left, :right, :name] ->
        {key, Fit.cut(text, width)}

      {key, text} when key in [:file, :module, :at] and is_binary(text) ->
        {key, Fit.cut(text, max(width, 150))}

      other ->
        other
    end)
  end
end
