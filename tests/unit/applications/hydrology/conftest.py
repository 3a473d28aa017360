"""Small files in the layouts that the readers read."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

START = date(2000, 1, 1)


@pytest.fixture
def fulda_file(tmp_path: Path):
    """A function that writes a file in the Fulda layout; `edit` changes its list of lines (line n is lines[n - 1])."""

    def write(days: int = 40, *, name: str = "fulda", edit=lambda lines: None) -> Path:
        lines = ["date,tmax,tmin,tmean,Prec,Q", "#,°C,°C,°C,mm/day,m³/s"]
        for index in range(days):
            day = START + timedelta(index)
            lines.append(f"{day:%d.%m.%Y},{index % 7}.5,-1,{index % 7},{index % 3},{20 + index % 5}")
        edit(lines)
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def camels_folder(tmp_path: Path):
    """A function that writes a CAMELS-US folder with the basins given; `regions` puts the files into region folders."""

    def write(basins: tuple[str, ...] = ("01022500", "01547700"), days: int = 40, *, regions: bool = False) -> Path:
        root = tmp_path / "camels"
        for basin in basins:
            region = basin[:2] if regions else ""
            forcing = root / "basin_mean_forcing" / "daymet" / region
            discharge = root / "usgs_streamflow" / region
            forcing.mkdir(parents=True, exist_ok=True)
            discharge.mkdir(parents=True, exist_ok=True)
            head = ["  44.82", " 133.00", " 587675987"]
            head.append("Year Mnth Day Hr\tdayl(s)\tprcp(mm/day)\tsrad(W/m2)\tswe(mm)\ttmax(C)\ttmin(C)\tvp(Pa)")
            weather, flow = head, []
            for index in range(days):
                day = START + timedelta(index)
                weather.append(f"{day:%Y %m %d} 12\t31185.97\t{index % 3}.00\t189.56\t0.00\t{index % 7}.0\t-1.0\t200.0")
                flow.append(f"{basin} {day:%Y %m %d}   {100 + index % 5}.00 A")
            (forcing / f"{basin}_lump_cida_forcing_leap.txt").write_text("\n".join(weather) + "\n")
            (discharge / f"{basin}_streamflow_qc.txt").write_text("\n".join(flow) + "\n")
        return root

    return write
