Code.require_file("../../scripts/demo/shop.ex", __DIR__)

defmodule Ambix.Examples.ShopTest do
  # The example project in a folder of its own: healthy, and with each of its bugs.
  use ExUnit.Case, async: true

  alias Demo.Shop

  @moduletag timeout: 120_000

  test "healthy, it has no warning and no failing test" do
    Shop.in_temporary_folder(fn folder ->
      root = Shop.copy(folder, "healthy")
      assert {_, 0} = mix(root, ~w(format --check-formatted))
      assert {_, 0} = mix(root, ~w(compile --warnings-as-errors))
      assert {tests, 0} = failures(root)
      assert tests >= 30
    end)
  end

  test "there are five bugs, each in a file of its own" do
    files =
      for bug <- Shop.bugs(), do: Regex.run(~r{^\+\+\+ b/(lib/.+)$}m, File.read!(bug.path)) |> List.last()

    assert length(files) == 5
    assert Enum.uniq(files) == files
  end

  for bug <- Shop.bugs() do
    test "with #{bug.name} it compiles, and one to six tests fail" do
      bug = unquote(Macro.escape(bug))
      assert bug.about =~ ": "

      Shop.in_temporary_folder(fn folder ->
        root = Shop.copy(folder, bug.name)
        Shop.plant(root, bug)
        assert {_, 0} = mix(root, ~w(compile --warnings-as-errors))
        assert {_tests, failed} = failures(root)
        assert failed in 1..6
      end)
    end
  end

  defp failures(root) do
    {output, _status} = mix(root, ~w(test))
    # As ExUnit puts it up to Elixir 1.19, and since.
    forms = [~r/(\d+) doctests?, (\d+) tests?, (\d+) failures?/, ~r"Result: (?:(\d+)/)?(\d+) passed"]
    found = Enum.find_value(forms, &Regex.run(&1, output, capture: :all_but_first))

    case found && Enum.map(found, &(&1 != "" && String.to_integer(&1))) do
      [doctests, tests, failed] -> {doctests + tests, failed}
      [false, all] -> {all, 0}
      [passed, all] -> {all, all - passed}
      nil -> flunk("ExUnit has not counted the tests: #{output}")
    end
  end

  defp mix(root, arguments) do
    System.cmd("mix", arguments, cd: root, stderr_to_stdout: true, env: [{"MIX_ENV", "test"}])
  end
end
